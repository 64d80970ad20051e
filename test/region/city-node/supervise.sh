# Starting programs, keeping them up, waiting for them, and stopping.

say() { echo "city [$((SECONDS))s] $*"; }

fail() {
  echo "city: $*" >&2
  exit 1
}

# keep PROGRAM ARGUMENT... : runs a program again whenever it ends, until the city stops.
keep() {
  local program=$1
  (
    stopping=''
    trap 'stopping=yes; kill "$child" 2>/dev/null' TERM INT
    while :; do
      "$@" >>"$logs/$program.log" 2>&1 &
      child=$!
      echo "$child" >"$run/$program.pid"
      wait "$child"
      status=$?
      if [ -n "$stopping" ]; then
        wait "$child" 2>/dev/null
        exit 0
      fi
      say "$program ended with status $status and is started again"
      sleep 1
    done
  ) &
}

# wait_until WHAT SECONDS COMMAND ARGUMENT... : the city gives up, with its logs' last lines, when the command
# has not succeeded by then.
wait_until() {
  local what=$1 deadline=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      tail -n 5 "$logs"/*.log
      fail "$what was not ready in time; the logs above may tell why"
    fi
    sleep 0.1
  done
}

# Three seconds at most: what has not ended by then ends with the container.
stop_everything() {
  trap - TERM INT
  say 'stopping'
  kill $(jobs -p) 2>/dev/null
  for _ in $(seq 30); do
    [ -n "$(jobs -pr)" ] || break
    sleep 0.1
  done
  exit 0
}
