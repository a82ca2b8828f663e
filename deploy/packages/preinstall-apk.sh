#!/bin/sh
# OpenRC makes no users by itself.
addgroup -S telltale 2>/dev/null
adduser -S -D -H -h /var/lib/telltale -s /sbin/nologin -G telltale -g telltale telltale 2>/dev/null
exit 0
