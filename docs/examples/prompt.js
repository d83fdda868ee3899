// Sends a prompt to Codex by way of codexd and streams the reply: node prompt.js PROMPT
const net = require("node:net");

const runtime = process.env.XDG_RUNTIME_DIR || `/run/user/${process.getuid()}`;
const path = process.env.CODEXD_SOCKET || `${runtime}/codexd/codexd.sock`;
const codexd = net.createConnection(path);

function fail(reason) {
  console.error(reason);
  process.exitCode = 1;
  codexd.removeAllListeners("end").end();
}

function send(message) {
  codexd.write(JSON.stringify(message) + "\n");
}

function receive({ id, method, params, result, error }) {
  if (error) {
    fail(error.message);
  } else if (id === 2 && result) {
    const input = [{ type: "text", text: process.argv.slice(2).join(" ") }];
    send({ id: 3, method: "turn/start", params: { threadId: result.thread.id, input } });
  } else if (method === "item/agentMessage/delta") {
    process.stdout.write(params.delta);
  } else if (method === "turn/completed" && params.turn.status === "completed") {
    process.stdout.write("\n");
    codexd.removeAllListeners("end").end();
  } else if (method === "turn/completed") {
    fail(params.turn.error?.message ?? params.turn.status);
  } else if (method && id !== undefined) {
    console.error(`\n${method}: codexctl approvals accept|decline ${id}`);
  }
}

let rest = "";
codexd.setEncoding("utf8"); // Node's readline would also split at U+2028, which may stand inside a JSON string
codexd.on("data", (text) => {
  const lines = (rest + text).split("\n");
  rest = lines.pop();
  lines.forEach((line) => receive(JSON.parse(line)));
});
codexd.on("error", (error) =>
  fail(`codexd does not answer at ${path} (${error.code}); start it with: codexd start`),
);
codexd.on("end", () => fail("codexd closed the connection"));
send({ id: 1, method: "initialize", params: { clientInfo: { name: "prompt.js", version: "1" } } });
send({ id: 2, method: "thread/start", params: { cwd: process.cwd() } });
