#!/bin/sh
# Starts a replica: copies the primary the first time, then runs PostgreSQL as the image does.
set -eu
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA"
  chown -R postgres:postgres /var/lib/postgresql
  chmod 700 "$PGDATA"
  exec gosu postgres "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  # What a copy that was interrupted left.
  find "$PGDATA" -mindepth 1 -delete
  export PGPASSWORD="$REPLICATION_PASSWORD"
  # Writes standby.signal and primary_conninfo, the password included.
  until pg_basebackup -h "$PRIMARY" -U replicator -D "$PGDATA" -R -X stream -c fast; do
    find "$PGDATA" -mindepth 1 -delete
    sleep 1
  done
fi
exec "$@"
