# bash completion for aiot, made by 'aiot completion bash' from the command table.

_aiot_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }
_aiot_files() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); }

_aiot() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command='' options='' words='' i
  COMPREPLY=()
  # '=' is a word of its own to bash.
  if [[ $cur == = ]]; then
    cur=''
  elif [[ $prev == = ]]; then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --output | --timeout | --broker | --token-file | --ca | --cert | --key | --config) ((i++)); [[ ${COMP_WORDS[i]} == = ]] && ((i++)) ;;
      -* | =) ;;
      *) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command:$prev in
    *:--output) _aiot_words 'text json csv'; return ;;
    *:--timeout) return ;;
    *:--broker) return ;;
    *:--token-file) _aiot_files; return ;;
    *:--ca) _aiot_files; return ;;
    *:--cert) _aiot_files; return ;;
    *:--key) _aiot_files; return ;;
    *:--config) _aiot_files; return ;;
    discover:--interface) return ;;
    discover:--user) return ;;
    discover:--password-file) _aiot_files; return ;;
    discover:--client-id) return ;;
    discover:--mqtt-version) _aiot_words '3.1.1 5'; return ;;
    discover:--psk-file) _aiot_files; return ;;
    discover:--psk-identity) return ;;
    get:--accept) return ;;
    get:--parse) _aiot_words 'json'; return ;;
    get:--max-age) return ;;
    get:-q | get:--qos) _aiot_words '0 1 2'; return ;;
    get:--interface) return ;;
    get:--user) return ;;
    get:--password-file) _aiot_files; return ;;
    get:--client-id) return ;;
    get:--mqtt-version) _aiot_words '3.1.1 5'; return ;;
    get:--psk-file) _aiot_files; return ;;
    get:--psk-identity) return ;;
    get:--out) _aiot_files; return ;;
    get:--from) _aiot_files; return ;;
    get:--parallel) return ;;
    put:--content-format) return ;;
    put:--accept) return ;;
    put:--if-match) return ;;
    put:--id) return ;;
    put:--expires) return ;;
    put:-q | put:--qos) _aiot_words '0 1 2'; return ;;
    put:--method) _aiot_words 'FETCH PATCH iPATCH'; return ;;
    put:--interface) return ;;
    put:--user) return ;;
    put:--password-file) _aiot_files; return ;;
    put:--client-id) return ;;
    put:--mqtt-version) _aiot_words '3.1.1 5'; return ;;
    put:--psk-file) _aiot_files; return ;;
    put:--psk-identity) return ;;
    put:--out) _aiot_files; return ;;
    put:--from) _aiot_files; return ;;
    put:--parallel) return ;;
    post:--content-format) return ;;
    post:--accept) return ;;
    post:--if-match) return ;;
    post:--id) return ;;
    post:--expires) return ;;
    post:--method) _aiot_words 'FETCH PATCH iPATCH'; return ;;
    post:--interface) return ;;
    post:--user) return ;;
    post:--password-file) _aiot_files; return ;;
    post:--client-id) return ;;
    post:--mqtt-version) _aiot_words '3.1.1 5'; return ;;
    post:--psk-file) _aiot_files; return ;;
    post:--psk-identity) return ;;
    post:--out) _aiot_files; return ;;
    post:--from) _aiot_files; return ;;
    post:--parallel) return ;;
    delete:--content-format) return ;;
    delete:--accept) return ;;
    delete:--if-match) return ;;
    delete:--id) return ;;
    delete:--expires) return ;;
    delete:--interface) return ;;
    delete:--user) return ;;
    delete:--password-file) _aiot_files; return ;;
    delete:--client-id) return ;;
    delete:--mqtt-version) _aiot_words '3.1.1 5'; return ;;
    delete:--psk-file) _aiot_files; return ;;
    delete:--psk-identity) return ;;
    delete:--out) _aiot_files; return ;;
    delete:--from) _aiot_files; return ;;
    delete:--parallel) return ;;
    observe:-n | observe:--count) return ;;
    observe:--for) return ;;
    observe:--poll) return ;;
    observe:--exec) return ;;
    observe:--accept) return ;;
    observe:--parse) _aiot_words 'json'; return ;;
    observe:--max-age) return ;;
    observe:-q | observe:--qos) _aiot_words '0 1 2'; return ;;
    observe:--retained) _aiot_words 'yes no'; return ;;
    observe:--interface) return ;;
    observe:--user) return ;;
    observe:--password-file) _aiot_files; return ;;
    observe:--client-id) return ;;
    observe:--mqtt-version) _aiot_words '3.1.1 5'; return ;;
    observe:--psk-file) _aiot_files; return ;;
    observe:--psk-identity) return ;;
    observe:--out) _aiot_files; return ;;
    observe:--from) _aiot_files; return ;;
    publish:-q | publish:--qos) _aiot_words '0 1 2'; return ;;
    publish:--user-property) return ;;
    publish:--content-type) return ;;
    publish:--message-expiry) return ;;
    publish:--response-topic) return ;;
    publish:--content-format) return ;;
    publish:--accept) return ;;
    publish:--if-match) return ;;
    publish:--id) return ;;
    publish:--expires) return ;;
    publish:--interface) return ;;
    publish:--user) return ;;
    publish:--password-file) _aiot_files; return ;;
    publish:--client-id) return ;;
    publish:--mqtt-version) _aiot_words '3.1.1 5'; return ;;
    publish:--psk-file) _aiot_files; return ;;
    publish:--psk-identity) return ;;
    publish:--out) _aiot_files; return ;;
    nodes:--state) _aiot_words 'live stale out'; return ;;
    nodes:--protocol) return ;;
    nodes:--gateway) return ;;
    nodes:--label) return ;;
    nodes:-q | nodes:--query) return ;;
    nodes:--sort) _aiot_words 'uid state last-seen first-seen resets timeouts interval -uid -state -last-seen -first-seen -resets -timeouts -interval'; return ;;
    nodes:--limit) return ;;
    history:--since) return ;;
    history:--until) return ;;
    history:--step) return ;;
    history:--limit) return ;;
    events:--since) return ;;
    events:--until) return ;;
    events:--node) return ;;
    events:--type) return ;;
    events:--limit) return ;;
    export:--since) return ;;
    export:--until) return ;;
    export:--node) return ;;
    serve-gateway:--coap) return ;;
    serve-gateway:--coaps) return ;;
    serve-gateway:--coaps-psk-file) _aiot_files; return ;;
    serve-gateway:--coaps-cert) _aiot_files; return ;;
    serve-gateway:--coaps-key) _aiot_files; return ;;
    serve-gateway:--coaps-ca) _aiot_files; return ;;
    serve-gateway:--ws) return ;;
    serve-gateway:--ws-tokens-file) _aiot_files; return ;;
    serve-gateway:--ws-cert) _aiot_files; return ;;
    serve-gateway:--ws-key) _aiot_files; return ;;
    serve-gateway:--mqttsn) return ;;
    serve-gateway:--mqttsn-id) return ;;
    serve-gateway:--mqttsn-topic) return ;;
    serve-gateway:--mqttsn-retry) return ;;
    serve-gateway:--mqttsn-retries) return ;;
    serve-gateway:--mqtt) return ;;
    serve-gateway:--mqtt-map) return ;;
    serve-gateway:--mqtt-discovery) return ;;
    serve-gateway:--mqtt-user) return ;;
    serve-gateway:--mqtt-password-file) _aiot_files; return ;;
    serve-gateway:--mqtt-ca) _aiot_files; return ;;
    serve-gateway:--mqtt-cert) _aiot_files; return ;;
    serve-gateway:--mqtt-key) _aiot_files; return ;;
    serve-gateway:--name) return ;;
    serve-gateway:--site) return ;;
    serve-gateway:--max-time) return ;;
    serve-gateway:--max-time-for) return ;;
    serve-gateway:--node) return ;;
    serve-gateway:--release) return ;;
    serve-gateway:--allow) return ;;
    serve-gateway:--sync) return ;;
    serve-gateway:--journal-size) return ;;
    serve-gateway:--journal-age) return ;;
    serve-gateway:--max-nodes) return ;;
    serve-gateway:--node-rate) return ;;
    serve-gateway:--metrics) return ;;
    serve-gateway:--key-file) _aiot_files; return ;;
    serve-gateway:--state-dir) return ;;
    serve-gateway:--log-format) _aiot_words 'text json'; return ;;
    serve-gateway:--listen) return ;;
    serve-gateway:--allow-origin) return ;;
    serve-gateway:--users-file) _aiot_files; return ;;
    serve-gateway:--anonymous) _aiot_words 'none viewer operator'; return ;;
    serve-gateway:--legacy-listen) return ;;
    serve-gateway:--retention) return ;;
    serve-gateway:--forget-out) return ;;
    serve-gateway:--retention-size) return ;;
    serve-gateway:--tls-cert) _aiot_files; return ;;
    serve-gateway:--tls-key) _aiot_files; return ;;
    serve-gateway:--trusted-proxy) return ;;
    serve-gateway:--hsts) return ;;
    serve-gateway:--title) return ;;
    serve-gateway:--logo) _aiot_files; return ;;
    serve-gateway:--favicon) _aiot_files; return ;;
    serve-gateway:--camera) return ;;
    serve-gateway:--map-tiles) return ;;
    serve-gateway:--map-attribution) return ;;
    serve-gateway:--allow-images) return ;;
    serve-gateway:--max-connections) return ;;
    serve-gateway:--max-connections-per-address) return ;;
    serve-gateway:--max-nodes-per-gateway) return ;;
    serve-gateway:--client-rate) return ;;
    serve-gateway:--gateway-rate) return ;;
    serve-broker:--listen) return ;;
    serve-broker:--allow-origin) return ;;
    serve-broker:--users-file) _aiot_files; return ;;
    serve-broker:--anonymous) _aiot_words 'none viewer operator'; return ;;
    serve-broker:--legacy-listen) return ;;
    serve-broker:--retention) return ;;
    serve-broker:--forget-out) return ;;
    serve-broker:--retention-size) return ;;
    serve-broker:--tls-cert) _aiot_files; return ;;
    serve-broker:--tls-key) _aiot_files; return ;;
    serve-broker:--trusted-proxy) return ;;
    serve-broker:--hsts) return ;;
    serve-broker:--title) return ;;
    serve-broker:--logo) _aiot_files; return ;;
    serve-broker:--favicon) _aiot_files; return ;;
    serve-broker:--camera) return ;;
    serve-broker:--map-tiles) return ;;
    serve-broker:--map-attribution) return ;;
    serve-broker:--allow-images) return ;;
    serve-broker:--max-connections) return ;;
    serve-broker:--max-connections-per-address) return ;;
    serve-broker:--max-nodes-per-gateway) return ;;
    serve-broker:--client-rate) return ;;
    serve-broker:--gateway-rate) return ;;
    serve-broker:--key-file) _aiot_files; return ;;
    serve-broker:--state-dir) return ;;
    serve-broker:--log-format) _aiot_words 'text json'; return ;;
    simulate:--gateway) return ;;
    simulate:--nodes) return ;;
    simulate:--first) return ;;
    simulate:--interval) return ;;
    simulate:--resources) return ;;
    simulate:--for) return ;;
    simulate:--broker-url) return ;;
    simulate:--sleep) return ;;
    simulate:--base) return ;;
    demo:--listen) return ;;
    demo:--nodes) return ;;
    demo:--interval) return ;;
    demo:--for) return ;;
    keys:--key-file) _aiot_files; return ;;
    keys:--gateway) return ;;
    users:--role) _aiot_words 'viewer operator admin'; return ;;
    users:--password-file) _aiot_files; return ;;
    users:--users-file) _aiot_files; return ;;
    users:--state-dir) _aiot_files; return ;;
    tokens:--name) return ;;
    tokens:--role) _aiot_words 'viewer operator admin'; return ;;
    tokens:--expires) return ;;
    tokens:--node) return ;;
    tokens:--resource) return ;;
    tokens:--gateway) return ;;
    tokens:--out) _aiot_files; return ;;
    tokens:--users-file) _aiot_files; return ;;
    tokens:--state-dir) _aiot_files; return ;;
    doctor:--gateway) return ;;
    doctor:--mqtt) return ;;
    doctor:--key-file) _aiot_files; return ;;
    doctor:--state-dir) _aiot_files; return ;;
  esac
  case $command in
    '') options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help' words='discover get put post delete observe publish nodes history events status gateways label forget export import serve-gateway serve-broker simulate demo keys users tokens config doctor completion' ;;
    discover) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --interface --rd --user --password-file --client-id --mqtt-version --psk-file --psk-identity' words='' ;;
    get) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --accept --parse --stale --live --max-age -q --qos --non --interface --user --password-file --client-id --mqtt-version --psk-file --psk-identity --raw --out --from --parallel' words='' ;;
    put) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --content-format --accept --if-match --id --expires -q --qos --method --non --interface --user --password-file --client-id --mqtt-version --psk-file --psk-identity --raw --out --from --parallel' words='' ;;
    post) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --content-format --accept --if-match --id --expires --method --non --interface --user --password-file --client-id --mqtt-version --psk-file --psk-identity --raw --out --from --parallel' words='' ;;
    delete) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --content-format --accept --if-match --id --expires --non --interface --user --password-file --client-id --mqtt-version --psk-file --psk-identity --raw --out --from --parallel' words='' ;;
    observe) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help -n --count --for --poll --exec --accept --parse --stale --live --max-age -q --qos --retained --non --interface --user --password-file --client-id --mqtt-version --psk-file --psk-identity --raw --out --from' words='' ;;
    publish) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --lines -q --qos --retain --user-property --content-type --message-expiry --response-topic --content-format --accept --if-match --id --expires --non --interface --user --password-file --client-id --mqtt-version --psk-file --psk-identity --raw --out' words='' ;;
    nodes) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --state --protocol --gateway --label -q --query --sort --limit' words='' ;;
    history) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --since --until --step --limit' words='' ;;
    events) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --since --until --node --type --limit -f --follow' words='' ;;
    status) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help' words='' ;;
    gateways) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help' words='' ;;
    label) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help' words='' ;;
    forget) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help' words='' ;;
    export) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --since --until --node' words='' ;;
    import) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help' words='' ;;
    serve-gateway) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --coap --coaps --coaps-psk-file --coaps-cert --coaps-key --coaps-ca --ws --ws-tokens-file --ws-cert --ws-key --mqttsn --mqttsn-id --mqttsn-topic --mqttsn-retry --mqttsn-retries --mqtt --mqtt-map --mqtt-discovery --mqtt-user --mqtt-password-file --mqtt-ca --mqtt-cert --mqtt-key --name --site --max-time --max-time-for --node --trust-first-use --release --allow --sync --journal-size --journal-age --max-nodes --node-rate --metrics --key-file --state-dir --log-format --standalone --listen --allow-origin --users-file --anonymous --insecure --no-shared-token --legacy-listen --retention --forget-out --retention-size --tls-cert --tls-key --trusted-proxy --hsts --title --logo --favicon --camera --map-tiles --map-attribution --allow-images --max-connections --max-connections-per-address --max-nodes-per-gateway --client-rate --gateway-rate' words='' ;;
    serve-broker) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --listen --allow-origin --users-file --anonymous --insecure --no-shared-token --legacy-listen --retention --forget-out --retention-size --tls-cert --tls-key --trusted-proxy --hsts --title --logo --favicon --camera --map-tiles --map-attribution --allow-images --max-connections --max-connections-per-address --max-nodes-per-gateway --client-rate --gateway-rate --key-file --state-dir --log-format' words='' ;;
    simulate) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --gateway --nodes --first --interval --resources --for --broker-url --sleep --base --confirmable --boot-reset' words='' ;;
    demo) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --listen --nodes --interval --for' words='' ;;
    keys) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --key-file --gateway' words='generate token show rotate retire' ;;
    users) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --role --password-file --users-file --state-dir' words='list add passwd role remove' ;;
    tokens) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --name --role --expires --node --resource --gateway --out --users-file --state-dir' words='list create revoke' ;;
    config) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help' words='show check' ;;
    doctor) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help --gateway --mqtt --key-file --state-dir' words='' ;;
    completion) options='--json --output --timeout --broker --token-file --ca --cert --key --config -v --verbose --quiet --version -h --help' words='bash zsh fish' ;;
  esac
  if [[ $cur == -* ]]; then
    _aiot_words "$options"
  elif [[ -n $words ]]; then
    _aiot_words "$words"
  elif [[ $cur == @* ]]; then
    cur=${cur#@}
    _aiot_files
    COMPREPLY=("${COMPREPLY[@]/#/@}")
  fi
}
complete -F _aiot aiot
