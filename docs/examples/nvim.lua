-- Codex in Neovim, by way of codexd: select text, type `:'<,'>Codex why is this slow?`, and the answer streams
-- into a buffer. Pure Lua, no other plugin or program; Neovim 0.7 or newer; codexd must run (`codexd start`).
--
--     cp docs/examples/nvim.lua ~/.config/nvim/lua/codexd.lua       and in init.lua: require("codexd").setup()
--
--   :[range]Codex [question]   A new thread in the working directory. Without a question, the selection is the
--                              prompt. In an answer's buffer: the next turn of its thread.
--   :CodexStop                 Interrupts the turn of this buffer, or of what was asked last.
--
-- When Codex asks whether it may run a command, change files or have more rights, `vim.ui.select` asks you. The
-- question stays open when you dismiss the menu, as does one that has no menu here: decide it with
-- `codexctl approvals`, or in any other client of the thread. Whoever decides first, decides.

local M = {}

local uv = vim.uv or vim.loop -- 0.10 renamed it

local client = nil -- the connection, while there is one
local conversations = {} -- buffer → its conversation
local threads = {} -- thread id → its conversation
local last = nil -- the conversation that was asked last
local undecided = {} -- id → what Codex asks, until somebody has decided it
local queue = {} -- ids that wait for the menu, oldest first
local choosing = false -- whether the menu is open

local function say(text, level)
  vim.notify("codexd: " .. text, level or vim.log.levels.INFO)
end

-- Where the socket is: the rule of codexd and of codexctl.

local function environment(name)
  local value = vim.env[name]
  return value ~= "" and value or nil
end

local function real(path)
  local resolved = vim.fn.resolve(vim.fn.fnamemodify(path, ":p"))
  return #resolved > 1 and resolved:gsub("/+$", "") or resolved
end

local function own_directory(path, status)
  return path:sub(1, 1) == "/" and status and status.type == "directory" and status.uid == uv.getuid()
end

-- XDG_STATE_HOME may be missing where the user may make it.
local function state_home()
  local named = environment("XDG_STATE_HOME")
  if not named or named:sub(1, 1) ~= "/" then
    return nil
  end
  local path = named
  while not uv.fs_stat(path) do
    path = vim.fn.fnamemodify(path, ":h")
  end
  local status = uv.fs_stat(path)
  local shared = status.uid == 0 and status.type == "directory" and uv.fs_access(path, "WX")
  return (own_directory(path, status) or shared) and named or nil
end

local function runtime_directory(home)
  local named = environment("XDG_RUNTIME_DIR")
  if named and own_directory(named, uv.fs_stat(named)) then
    return named .. "/codexd"
  end
  local run = "/run/user/" .. uv.getuid()
  if own_directory(run, uv.fs_lstat(run)) then
    return run .. "/codexd"
  end
  local darwin = uv.os_uname().sysname == "Darwin"
  local state = state_home() or home .. (darwin and "/Library/Application Support" or "/.local/state")
  return state .. "/codexd/run"
end

--- CODEXD_SOCKET, else `codexd.sock` in the runtime directory; `codexd-HASH.sock` for another CODEX_HOME.
function M.socket_path()
  if environment("CODEXD_SOCKET") then
    return vim.fn.fnamemodify(environment("CODEXD_SOCKET"), ":p")
  end
  local home = uv.os_homedir()
  local default = real(home .. "/.codex")
  local chosen = real(environment("CODEX_HOME") or default)
  local name = chosen == default and "codexd.sock" or ("codexd-%s.sock"):format(vim.fn.sha256(chosen):sub(1, 8))
  return runtime_directory(home) .. "/" .. name
end

-- The answer's buffer.

--- Adds text at the end. A window whose cursor is in the last line stays there, so that one can read along.
local function append(conversation, text)
  local buffer = conversation.buffer
  local row = vim.api.nvim_buf_line_count(buffer) - 1
  local column = #vim.api.nvim_buf_get_lines(buffer, row, row + 1, true)[1]
  local following = vim.tbl_filter(function(window)
    return vim.api.nvim_win_get_cursor(window)[1] == row + 1
  end, vim.fn.win_findbuf(buffer))
  vim.api.nvim_buf_set_text(buffer, row, column, row, column, vim.split(text, "\n", { plain = true }))
  for _, window in ipairs(following) do
    vim.api.nvim_win_set_cursor(window, { vim.api.nvim_buf_line_count(buffer), 0 })
  end
end

--- Adds text as a paragraph of its own.
local function paragraph(conversation, text)
  local begun = vim.api.nvim_buf_line_count(conversation.buffer) > 1
    or vim.api.nvim_buf_get_lines(conversation.buffer, 0, 1, true)[1] ~= ""
  append(conversation, (begun and "\n\n" or "") .. text)
end

--- The conversation ends with its buffer: codexd need not keep the thread for us any longer.
local function forget(conversation)
  conversation.gone = true
  conversations[conversation.buffer] = nil
  last = last ~= conversation and last or nil
  if conversation.thread then
    threads[conversation.thread] = nil
  end
  if client and conversation.client == client then
    client:request("thread/unsubscribe", { threadId = conversation.thread }, function() end)
  end
end

local function new_conversation()
  local conversation = { buffer = vim.api.nvim_create_buf(true, true), cwd = vim.fn.getcwd() }
  local buffer = conversation.buffer
  conversations[buffer] = conversation
  vim.bo[buffer].filetype = "markdown"
  vim.bo[buffer].undolevels = -1
  vim.api.nvim_buf_set_name(buffer, "codexd://" .. buffer)
  vim.api.nvim_create_autocmd("BufUnload", {
    buffer = buffer,
    callback = function()
      forget(conversation)
    end,
  })
  vim.cmd("sbuffer " .. buffer)
  return conversation
end

-- What Codex asks. By method, the choices: what the menu shows, and the answer.

local function decisions()
  return vim.tbl_map(function(decision)
    return { decision, { decision = decision } }
  end, { "accept", "acceptForSession", "decline", "cancel" })
end

local CHOICES = {
  ["item/commandExecution/requestApproval"] = decisions,
  ["item/fileChange/requestApproval"] = decisions,
  ["item/permissions/requestApproval"] = function(params)
    return {
      { "accept for this turn", { permissions = params.permissions, scope = "turn" } },
      { "decline", { permissions = vim.empty_dict() } },
    }
  end,
}

--- Opens the menu for the oldest question. One at a time: a second menu would be laid over the first.
local function choose()
  local id = not choosing and table.remove(queue, 1)
  local question = id and undecided[id]
  if not question then
    return id and choose()
  end
  choosing = true
  vim.ui.select(question.choices, {
    prompt = question.text,
    format_item = function(choice)
      return choice[1]
    end,
  }, function(choice)
    choosing = false
    if not undecided[id] then
      say("that has been decided elsewhere, or is asked no more")
    elseif choice then
      undecided[id] = nil
      question.client:answer(id, choice[2])
    else
      say(("left open; decide it with: codexctl approvals accept|decline %d"):format(id))
    end
    vim.schedule(choose)
  end)
end

local function asked(connection, id, method, params)
  if not CHOICES[method] then
    say(("Codex asks (%s); see: codexctl approvals show %d"):format(method, id), vim.log.levels.WARN)
    return
  end
  local what = type(params.command) == "string" and params.command or method
  local why = type(params.reason) == "string" and " (" .. params.reason .. ")" or ""
  undecided[id] = { client = connection, choices = CHOICES[method](params), text = "Codex asks: " .. what .. why }
  table.insert(queue, id)
  choose()
end

-- What Codex tells of a thread, by method.

local TOLD = {}

TOLD["item/agentMessage/delta"] = function(conversation, params)
  if conversation.item ~= params.itemId then
    conversation.item = params.itemId
    paragraph(conversation, "")
  end
  append(conversation, params.delta)
end

--- A file change is shown when it is proposed: nobody should have to accept what he can't see.
TOLD["item/started"] = function(conversation, params)
  for _, change in ipairs(params.item.type == "fileChange" and params.item.changes or {}) do
    paragraph(conversation, ("%s\n```diff\n%s\n```"):format(change.path, (change.diff:gsub("\n$", ""))))
  end
end

TOLD["serverRequest/resolved"] = function(_, params)
  undecided[params.requestId] = nil
end

--- `b:codexd_turn` is there while a turn runs: for a status line, or a script that waits.
local function set_turn(conversation, id)
  conversation.turn = id
  vim.b[conversation.buffer].codexd_turn = id
end

TOLD["turn/started"] = function(conversation, params)
  set_turn(conversation, params.turn.id)
end

TOLD["turn/completed"] = function(conversation, params)
  set_turn(conversation, nil)
  if params.turn.status ~= "completed" then
    local reason = type(params.turn.error) == "table" and ": " .. params.turn.error.message or ""
    paragraph(conversation, ("*%s%s*"):format(params.turn.status, reason))
  end
end

-- The connection: one JSON object per line, both ways.

local Client = {}
Client.__index = Client

function Client:write(line)
  if self.unsent then
    table.insert(self.unsent, line .. "\n")
  else
    self.pipe:write(line .. "\n")
  end
end

--- `done(reason, result)` is called once: with why there is no answer, or with the answer.
function Client:request(method, params, done)
  self.last_id = self.last_id + 1
  self.waiting[self.last_id] = done
  self:write(vim.json.encode({ id = self.last_id, method = method, params = params }))
end

--- Answers a question. Its id has 16 digits, of which `vim.json.encode` would keep 14.
function Client:answer(id, result)
  self:write(('{"id":%d,"result":%s}'):format(id, vim.json.encode(result)))
end

function Client:receive(line)
  local understood, message = pcall(vim.json.decode, line)
  if not understood then
    return self:close("codexd sent a line that is no JSON")
  end
  local done = not message.method and self.waiting[message.id]
  if done then
    self.waiting[message.id] = nil
    done(message.error and message.error.message, message.result)
  elseif message.error then -- about a line of ours of which codexd could not even tell the id
    say(message.error.message, vim.log.levels.ERROR)
  elseif message.id then
    asked(self, message.id, message.method, message.params)
  elseif TOLD[message.method] and threads[message.params.threadId] then
    TOLD[message.method](threads[message.params.threadId], message.params)
  end
end

--- Ends the connection and everything that waits for it. The next `:Codex` connects anew.
function Client:close(reason)
  if self.pipe:is_closing() then
    return
  end
  self.pipe:close()
  client = nil
  undecided = {}
  for _, done in pairs(self.waiting) do
    done(reason)
  end
  for _, conversation in pairs(conversations) do
    if conversation.turn then
      set_turn(conversation, nil)
      paragraph(conversation, ("*%s*"):format(reason))
    end
  end
end

--- Cuts bytes into lines. A line, and a character in it, may come in any number of pieces.
local function line_splitter()
  local pieces = {}
  return function(bytes)
    local lines, from = {}, 1
    for newline in bytes:gmatch("()\n") do
      table.insert(pieces, bytes:sub(from, newline - 1))
      table.insert(lines, table.concat(pieces))
      pieces, from = {}, newline + 1
    end
    table.insert(pieces, bytes:sub(from))
    return lines
  end
end

--- libuv calls back where most of Neovim's functions are forbidden, so what follows from bytes is scheduled.
function Client:read()
  local split = line_splitter()
  self.pipe:read_start(function(failed, bytes)
    local lines = bytes and split(bytes) or {}
    vim.schedule(function()
      for _, line in ipairs(lines) do
        if not self.pipe:is_closing() then
          self:receive(line)
        end
      end
      if not bytes then
        self:close("codexd closed the connection" .. (failed and ": " .. failed or ""))
      end
    end)
  end)
end

--- The connection to codexd, made where there is none. What is written before it stands is sent when it does.
local function connection()
  if client then
    return client
  end
  local path = M.socket_path()
  local new = setmetatable({ pipe = uv.new_pipe(false), unsent = {}, waiting = {}, last_id = 0 }, Client)
  client = new
  local version = vim.version()
  local info = { name = "nvim", version = ("%d.%d.%d"):format(version.major, version.minor, version.patch) }
  new:request("initialize", { clientInfo = info }, function(refused)
    return refused and new:close(refused)
  end)
  new:write('{"method":"initialized"}')
  new.pipe:connect(path, function(failed)
    if failed then
      return vim.schedule(function()
        new:close(("codexd does not listen at %s (%s); start it with: codexd start"):format(path, failed))
      end)
    end
    new.pipe:write(new.unsent)
    new.unsent = nil
    new:read()
  end)
  return new
end

-- The commands.

--- Starts the conversation's thread, or takes it up again after a lost connection; then `done(reason)`.
local function attach(conversation, done)
  local current = connection()
  if conversation.client == current then
    return done()
  elseif conversation.attaching then
    return done("the thread is still being started; ask again")
  end
  conversation.attaching = true
  local method = conversation.thread and "thread/resume" or "thread/start"
  local params = conversation.thread and { threadId = conversation.thread } or { cwd = conversation.cwd }
  current:request(method, params, function(refused, result)
    conversation.attaching = false
    if not refused and not conversation.gone then
      conversation.client, conversation.thread = current, result.thread.id
      threads[result.thread.id] = conversation
    end
    done(refused)
  end)
end

--- Sends the prompt. The answer, or why there is none, comes into the conversation's buffer.
local function ask(conversation, prompt)
  last = conversation
  local function failed(reason)
    return conversation.gone or paragraph(conversation, ("*%s*"):format(reason))
  end
  attach(conversation, function(refused)
    if refused or conversation.gone then
      return failed(refused)
    end
    local input = { { type = "text", text = prompt } }
    conversation.client:request("turn/start", { threadId = conversation.thread, input = input }, function(reason)
      return reason and failed(reason)
    end)
  end)
end

--- What the range covers: whole lines, or the very characters when it is a visual selection of characters.
local function selected(range)
  local first, final = vim.fn.getpos("'<"), vim.fn.getpos("'>")
  if vim.fn.visualmode() ~= "v" or first[2] ~= range.line1 or final[2] ~= range.line2 then
    return table.concat(vim.api.nvim_buf_get_lines(0, range.line1 - 1, range.line2, true), "\n")
  end
  local line = vim.api.nvim_buf_get_lines(0, final[2] - 1, final[2], true)[1]
  local stop = math.min(final[3], #line)
  stop = stop > 0 and stop + vim.str_utf_end(line, stop) or 0
  return table.concat(vim.api.nvim_buf_get_text(0, first[2] - 1, first[3] - 1, final[2] - 1, stop, {}), "\n")
end

local function codex(command)
  local prompt = command.args
  if command.range > 0 and prompt == "" then
    prompt = selected(command)
  elseif command.range > 0 then
    local text, fence = selected(command), "```"
    while text:find(fence, 1, true) do
      fence = fence .. "`"
    end
    prompt = ("%s\n\n%s%s\n%s\n%s"):format(prompt, fence, vim.bo.filetype, text, fence)
  end
  if prompt == "" then
    return say("nothing to ask: select something, or type :Codex and your question", vim.log.levels.ERROR)
  end
  local conversation = conversations[vim.api.nvim_get_current_buf()] or new_conversation()
  paragraph(conversation, "> " .. prompt:gsub("\n", "\n> "))
  ask(conversation, prompt)
end

local function codex_stop()
  local conversation = conversations[vim.api.nvim_get_current_buf()] or last
  if not conversation or not conversation.turn then
    return say("no turn is running")
  end
  local params = { threadId = conversation.thread, turnId = conversation.turn }
  conversation.client:request("turn/interrupt", params, function(refused)
    return refused and say(refused, vim.log.levels.WARN)
  end)
end

function M.setup()
  vim.api.nvim_create_user_command("Codex", codex, { range = true, nargs = "*", desc = "Ask Codex" })
  vim.api.nvim_create_user_command("CodexStop", codex_stop, { desc = "Interrupt Codex" })
end

return M
