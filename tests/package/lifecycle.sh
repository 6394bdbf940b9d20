#!/bin/sh
# The life of the package in a clean root below a running systemd: installed, started, watched, upgraded, removed and
# purged. Prints "ok NAME", or "FAIL NAME" with what was said; "end" when it got through.
set -u
export LC_ALL=C HOME=/root
broker=aiot-serve-broker gateway=aiot-serve-gateway

check() { # NAME COMMAND...
  name=$1
  shift
  if "$@" >/test/said 2>&1; then echo "ok $name"; else echo "FAIL $name: $* said: $(tail -c 1500 /test/said | tr '\n' '~')"; fi
}
refuse() { ! "$@"; }
same() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; false; }; }
has() { printf '%s' "$1" | grep -q -e "$2" || { printf '%s' "$1"; false; }; }
soon() { # COMMAND...: within 30 s
  tries=150
  until "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    sleep 0.2
  done
}
property() { systemctl show -p "$2" --value "$1"; }
pid() { property $1 MainPID; }
other() { now=$(pid $broker); [ "$now" != "$before" ] && [ "$now" != 0 ] && [ "$(systemctl is-active $broker)" = active ]; }
value() { aiot get --stale "$1" 2>&1; }
reads() { value sim-0/temperature | grep -q C; }
# Every file, but what systemd, dpkg and this test write by themselves; users and groups.
snapshot() {
  find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /test -o -path /root \
    -o -path /var/log -o -path /var/lib/systemd/timers -o -path /var/lib/systemd/catalog -o -path /var/cache/ldconfig \
    -o -path /var/lib/dpkg -o -path /var/lib/private -o -path /var/tmp -o -name '*-' -o -name '.pwd.lock' \) -prune -o -print | sort
  getent passwd
  getent group
}
install() { dpkg --install /test/aiot.deb; }
version() { dpkg-query -W -f '${Version}' aiot; }
export AIOT_BROKER=aiot://127.0.0.1

snapshot >/test/before
check "an older one installs with nothing but its dependencies" dpkg --install /test/older.deb
older=$(version)
cp /etc/aiot/keys /test/keys
cp /etc/aiot/aiot.toml /test/shipped.toml
printf '# mine\n' >>/etc/aiot/aiot.toml
systemctl start $broker
before=$(pid $broker)
check "a newer one takes its place" install
check "and its version" refuse same "$(version)" "$older"
check "with the keys" cmp /etc/aiot/keys /test/keys
check "with what the administrator wrote" grep -qx '# mine' /etc/aiot/aiot.toml
check "with what ran, anew" other
systemctl stop $broker
check "it makes a user that nobody logs in as" has "$(getent passwd aiot)" ':/usr/sbin/nologin$'
check "it makes keys for root alone" same "$(stat -c '%U %a' /etc/aiot/keys)" "root 600"
for unit in $broker $gateway; do
  check "$unit is neither started" refuse systemctl is-active $unit
  check "$unit nor enabled" refuse systemctl is-enabled $unit
done
check "the pages are there" test -s /usr/share/man/man8/aiot-serve-broker.8.gz

check "$broker starts" systemctl start $broker
check "$gateway starts" systemctl start $gateway
for unit in $broker $gateway; do
  check "$unit is ready" same "$(systemctl is-active $unit)" active
  check "$unit is not root" same "$(stat -c %U /proc/$(pid $unit))" aiot
  check "$unit has every system call filtered" has "$(grep Seccomp: /proc/$(pid $unit)/status)" 2
  check "$unit has no capability" has "$(grep CapEff /proc/$(pid $unit)/status)" 0000000000000000
  secret=$(sed -n 's/^secret = //p' /etc/aiot/keys)
  check "$unit shows no secret" refuse grep -qF -e "$secret" /proc/$(pid $unit)/cmdline /proc/$(pid $unit)/environ
done
check "the state is for that user alone" same "$(stat -c '%U %a' /var/lib/aiot/broker)" "aiot 700"
check "the gateway reaches the broker with the keys" soon aiot doctor broker gateway
aiot simulate coap --gateway 127.0.0.1:5683 --nodes 2 --interval 1s --resources temperature --for 10s >/dev/null 2>&1 &
check "a node's value comes through" soon reads

before=$(pid $broker)
check "$broker reloads" systemctl reload $broker
check "$broker is the same after it" same "$(pid $broker)" "$before"

mkdir -p /run/systemd/system/$broker.service.d
printf '[Service]\nWatchdogSec=2\n' >/run/systemd/system/$broker.service.d/test.conf
systemctl daemon-reload
systemctl restart $broker
before=$(pid $broker)
kill -STOP $before
check "a broker that hangs is started anew" soon other
rm -r /run/systemd/system/$broker.service.d
systemctl daemon-reload
check "it still has its history" soon reads

cp /etc/aiot/aiot.toml /test/aiot.toml
printf '\n[serve-broker]\nlisten = "nowhere"\n' >>/etc/aiot/aiot.toml
check "bad options are refused" refuse systemctl restart $broker
check "and not tried again" same "$(systemctl is-failed $broker) $(property $broker NRestarts) $(property $broker ExecMainStatus)" "failed 0 2"
check "the journal names file and line" has "$(journalctl --quiet --no-pager -u $broker -n 20)" '/etc/aiot/aiot.toml:[0-9]*'
cp /test/aiot.toml /etc/aiot/aiot.toml
systemctl reset-failed $broker
check "good ones start it again" systemctl start $broker

# A gateway with a token of its own instead of the keys.
printf '[serve-gateway]\nname = "paris"\n' >>/etc/aiot/aiot.toml
aiot keys token --key-file /etc/aiot/keys --gateway paris >/etc/aiot/token
chmod 600 /etc/aiot/token
mv /etc/aiot/keys /etc/aiot/keys.away
check "a gateway with a token needs no keys" systemctl restart $gateway
mv /etc/aiot/keys.away /etc/aiot/keys
connected() { aiot doctor broker.gateways | grep -q 'paris is connected'; }
check "the token lets it in" soon connected

before="$(pid $broker) $(pid $gateway)"
check "it can be installed over itself" install
check "what ran was restarted" refuse same "$(pid $broker) $(pid $gateway)" "$before"
check "and is ready" same "$(systemctl is-active $broker $gateway | tr '\n' ' ')" "active active "
check "with the administrator's configuration" grep -q paris /etc/aiot/aiot.toml
check "and the history" soon reads

echo correct-horse-battery-staple >/test/password
chmod 600 /test/password
check "root makes a user where the broker looks" aiot users add ada --role admin --password-file /test/password
check "the broker can read who" same "$(stat -c '%U %a' /var/lib/aiot/broker/users)" "aiot 600"
closed() { aiot doctor broker.token >/dev/null; [ $? = 7 ]; }
check "which closes it" soon closed
aiot tokens create --out /test/reader.token >/dev/null
check "to all but those with a token" soon aiot doctor --token-file /test/reader.token broker.gateways

systemctl enable --quiet $broker $gateway
check "it can be removed" dpkg --remove aiot
check "which ends both" same "$(systemctl is-active $broker $gateway | tr '\n' ' ')" "inactive inactive "
check "without a failure" same "$(systemctl is-failed $broker $gateway | tr '\n' ' ')" "inactive inactive "
check "and keeps the state and the keys" test -d /var/lib/aiot/broker -a -s /etc/aiot/keys
check "it can come back" install
check "and starts again as it was" systemctl start $broker $gateway
check "enabled as it was" systemctl is-enabled $broker $gateway
check "with its users" aiot doctor --token-file /test/reader.token broker.token
check "it can be purged" dpkg --purge aiot
check "it can come back after that" install
check "with other keys" refuse cmp /etc/aiot/keys /test/keys
check "and nothing of what was" cmp /etc/aiot/aiot.toml /test/shipped.toml
check "it starts" systemctl start $broker $gateway
check "and can be purged again" dpkg --purge aiot
snapshot >/test/after
check "nothing is left" diff /test/before /test/after
echo end
