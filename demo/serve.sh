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
token=$(holdfast token add demo --role admin | tail -n 1)
cat <<END

  api=http://127.0.0.1:8714/api/backup-recovery
  token=$token
  curl -s -H "Authorization: Bearer \$token" \$api/scheduler/jobs
  curl -s -H "Authorization: Bearer \$token" \$api/jobs
  curl -s -H "Authorization: Bearer \$token" \$api/recovery/objectives
  curl -sN -H "Authorization: Bearer \$token" \$api/events
  curl -s -H "Authorization: Bearer \$token" -X POST -d '{}' "\$api/backup/postgresql/full?wait=60"
  curl -s http://127.0.0.1:8714/openapi.yaml
END
show 'holdfast serve'
# Ctrl-C is for the service: it ends, and the demo goes on to its own end.
trap : INT
holdfast serve || true
trap 'exit 130' INT
