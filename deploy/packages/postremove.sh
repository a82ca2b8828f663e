#!/bin/sh
# After the files are gone. The evidence stays until the package is purged, which rpm doesn't know.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
if [ "$1" = purge ]; then
  rm -rf /var/lib/private/telltale /var/lib/telltale
fi
