#!/bin/sh
# Before the files go: for good (deb: "remove"; rpm: 0), not for newer ones.
set -e
case "$1" in
remove | 0)
  if [ -d /run/systemd/system ]; then
    systemctl disable --now telltale.service
  fi
  ;;
esac
