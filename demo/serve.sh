# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154 # the variables are those of run.sh
#
# The end of the demo with --serve: the service on the demo's server, with a schedule of every minute, until Ctrl-C.

tell "The service, with a schedule of every minute" \
    "It runs until Ctrl-C; then the demo ends as always. Look at it from another terminal:"
export HOLDFAST_CONFIG="$work/holdfast.conf"
cat >>"$HOLDFAST_CONFIG" <<END

[source ticks]
engine = tdengine
url = $TD

[schedule ticks-every-minute]
command = backup tdengine incremental
cron = * * * * *

[schedule every-minute]
command = backup postgresql full
cron = * * * * *

[schedule tidy]
command = cleanup
cron = */10 * * * *
END
# Somebody's own service may have the usual port.
port=$(python3 -c 'import socket
for port in 8714, 0:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            print(probe.getsockname()[1])
            break
        except OSError:
            pass')
printf '\n[server]\nlisten = 127.0.0.1:%s\n' "$port" >>"$HOLDFAST_CONFIG"
(
    umask 077
    holdfast token add demo --role admin | sed -n '$s/^/Authorization: Bearer /p' >"$work/token"
)
cat <<END

  api=http://127.0.0.1:$port/api/backup-recovery
  curl -s -H @$work/token \$api/scheduler/jobs
  curl -s -H @$work/token \$api/jobs
  curl -s -H @$work/token \$api/recovery/objectives
  curl -sN -H @$work/token \$api/events
  curl -s -H @$work/token -d '{}' "\$api/backup/postgresql/full?wait=60"
  curl -s http://127.0.0.1:$port/openapi.yaml
END
show 'holdfast serve'
# Ctrl-C is for the service: it ends, and the demo goes on to its own end.
trap : INT
doing='holdfast serve'
holdfast serve || [ $? -eq 130 ]
doing=
trap 'exit 130' INT
