# Ends a cluster: sh guard.sh <cluster directory>
#
# Waits until the pipe from the JVM closes, which the JVM does to close the cluster and the kernel
# does when the JVM is gone, however it went (kill -9 too). Then it stops every server on record and
# removes the directory. Everything is inside a function because the directory holds this file too.
guard() {
  dir=$1
  # Ctrl-C reaches the whole foreground process group; the servers outlive the JVM, never the guard.
  trap '' HUP INT QUIT TERM
  cd /
  cat > /dev/null
  : > "$dir/closing"

  # QUIT lets PostgreSQL release its shared memory. A frozen server hears it only after CONT.
  for record in "$dir"/pids/*; do
    read -r signal pid < "$record" || continue
    kill -s CONT $(tree "$pid")
    kill -s "$signal" "$pid"
  done
  rounds=0
  while alive && [ $rounds -lt 100 ]; do
    rounds=$((rounds + 1))
    sleep 0.05
  done
  for record in "$dir"/pids/*; do
    read -r signal pid < "$record" || continue
    kill -0 "$pid" && kill -s KILL $(tree "$pid")
  done

  # A PostgreSQL that was killed leaves a small System V segment (key and id on line 7).
  for lock in "$dir"/*/postmaster.pid; do
    segment=$(sed -n '7s/^ *[0-9-]*  *\([0-9]*\).*/\1/p' "$lock") && [ -n "$segment" ] && ipcrm -m "$segment"
  done
  # A server that was just killed may still write; a second round finds what the first one missed.
  rm -rf "$dir" || { sleep 0.2; rm -rf "$dir"; }
}

# A process and its children; ps is missing in slim images, pgrep is for macOS.
tree() {
  echo "$1"
  cat "/proc/$1/task/$1/children" || pgrep -P "$1"
}

alive() {
  for record in "$dir"/pids/*; do
    read -r signal pid < "$record" && kill -0 "$pid" && return 0
  done
  return 1
}

guard "$1" 2> /dev/null
exit 0
