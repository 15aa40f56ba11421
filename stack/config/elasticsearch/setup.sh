#!/usr/bin/env bash
# Give each component a user of its own that may do what it must, and no more. Runs at every start; a second run
# changes nothing. The superuser's password is used here only.
set -euo pipefail

elasticsearch="${ELASTICSEARCH_URL:-http://elasticsearch:9200}"
roles="$(dirname "$0")/roles"

send() { # METHOD PATH BODY; the password goes in by a file descriptor, never on a command line
  curl --silent --show-error --fail-with-body --output /dev/null \
    --config <(printf 'user = "elastic:%s"\n' "$ELASTIC_PASSWORD") \
    --request "$1" --header "Content-Type: application/json" --data "@-" "$elasticsearch$2" <<<"$3"
}

give_role() { # USER PASSWORD: a user with the role of the same name
  send PUT "/_security/role/$1" "$(<"$roles/$1.json")"
  send PUT "/_security/user/$1" "{\"password\": \"$2\", \"roles\": [\"$1\"]}"
}

send POST /_security/user/kibana_system/_password "{\"password\": \"$KIBANA_SYSTEM_PASSWORD\"}"
give_role tidegate_writer "$ELASTIC_WRITER_PASSWORD"
give_role tidegate_reader "$ELASTIC_READER_PASSWORD"
give_role tidegate_traces "$ELASTIC_TRACES_PASSWORD"
echo "users and roles are in place"
