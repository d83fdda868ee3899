#!/bin/bash
# Runs a program as a user of its own under that user's real systemd, in namespaces that end with it. Needs root.
#
#   systemd_user.sh HOME PROGRAM [ARGUMENT...]
#
# HOME is an existing directory that becomes the user's; his systemd's own log is HOME/systemd.log. EXPOSE names
# directories, separated by colons, that he has to be able to read although a directory above them forbids it.
# The exit status is the program's; HOME/began is there when it came to that.
set -eu
export HOME_DIR=$1 UID_=1500 WORK
shift
WORK=$(mktemp -d)
chmod 755 "$WORK"
{ cat /etc/passwd; echo "tester:x:$UID_:$UID_::$HOME_DIR:/bin/bash"; } >"$WORK/passwd"
{ cat /etc/group; echo "tester:x:$UID_:"; } >"$WORK/group"
chown -R $UID_:$UID_ "$HOME_DIR"

# A systemd wants a cgroup of its own to rule in.
tree=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
if [ -z "$tree" ]; then
  tree=$WORK/cgroup
  mkdir "$tree"
  mount -t cgroup2 none "$tree"
fi
export GROUP=$tree$(awk -F: '$1 == 0 { print $3 }' /proc/self/cgroup)/codexd-test-$$
mkdir -p "$GROUP"

finish() {
  # What the namespace's end has killed may take an instant to leave the cgroup.
  for _ in $(seq 100); do
    find "$GROUP" -depth -type d -exec rmdir {} \; 2>/dev/null
    [ -d "$GROUP" ] || break
    sleep 0.05
  done
  [ "$tree" != "$WORK/cgroup" ] || umount "$tree"
  rm -rf "$WORK"
}
trap finish EXIT

expose() {
  local way="" part n
  n=$WORK/exposed-$(echo "$1" | md5sum | cut -c1-8)
  IFS=/ read -ra parts <<<"${1#/}"
  for part in "${parts[@]}"; do
    way=$way/$part
    [ $((0$(stat -c %a "$way") & 1)) = 0 ] || continue
    mkdir "$n"
    mount --bind "$1" "$n"
    mount -t tmpfs -o mode=755 none "$way"
    mkdir -p "$1"
    mount --bind "$n" "$1"
    return
  done
}

inside() {
  mount --make-rprivate /
  umount -l /sys/fs/cgroup 2>/dev/null || true
  mount -t cgroup2 none /sys/fs/cgroup
  mount -t proc none /proc
  local directory
  IFS=: read -ra exposed <<<"${EXPOSE:-}"
  for directory in "${exposed[@]}"; do expose "$directory"; done
  mount -t tmpfs none /run
  mount --bind "$WORK/passwd" /etc/passwd
  mount --bind "$WORK/group" /etc/group
  mkdir -p /run/systemd/system
  install -d -m 700 -o $UID_ -g $UID_ /run/user/$UID_
  mkdir /sys/fs/cgroup/user
  echo $$ >/sys/fs/cgroup/user/cgroup.procs
  chown -R $UID_:$UID_ /sys/fs/cgroup/user
  cd "$HOME_DIR"
  exec setpriv --reuid $UID_ --regid $UID_ --init-groups env -i HOME="$HOME_DIR" USER=tester LOGNAME=tester \
    PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 XDG_RUNTIME_DIR=/run/user/$UID_ \
    bash -c "$(declare -f session); session \"\$@\"" session "$@"
}

session() {
  /lib/systemd/systemd --user --log-target=console >"$HOME/systemd.log" 2>&1 &
  local manager=$! status=0
  for _ in $(seq 100); do
    [ -S "$XDG_RUNTIME_DIR/systemd/private" ] && break
    sleep 0.05
  done
  systemctl --user show --property=Version >"$HOME/began"
  "$@" || status=$?
  kill $manager
  wait $manager || true
  exit $status
}

export -f expose inside session
bash -c 'echo $$ >"$GROUP/cgroup.procs"
exec unshare --mount --pid --fork --cgroup --ipc --kill-child bash -euc "inside \"\$@\"" inside "$@"' namespace "$@"
