#!/bin/sh
# After the files are there: the first time (deb: "configure" alone; rpm: 1), or in place of older ones.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart telltale.service # nothing where it does not run
fi
if [ "$1" = 1 ] || { [ "$1" = configure ] && [ -z "$2" ]; }; then
  cat <<'SAYS'
telltale measures nothing yet. Read what running it means, say yes, and start it:
  sudo telltale consent --config.file=/etc/telltale/telltale.toml
  sudo systemctl enable --now telltale
SAYS
fi
