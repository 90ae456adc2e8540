# What runs inside PostgreSQL's containers: sh -c '<this file>' container.sh <task> <node> [...]
#
# It asks an image for sh, cp, rm, mkdir, chown, chmod, id, sleep, initdb and postgres, so that a small home-made
# one does as well as the official one. The nodes of a cluster share the volume /waymark. Texts come by the environment:
# other users of the machine can read a command's arguments, passwords included, but not its environment.
set -eu
task=$1 node=$2
shift 2
data=/waymark/$node
umask 077

# PostgreSQL refuses to run as root, and which way down there is depends on the image. Each is tried, since a
# command's presence says little: the setpriv of busybox cannot change users.
find_account() {
  for account in \
    "gosu postgres" \
    "su-exec postgres" \
    "setpriv --reuid=postgres --regid=postgres --clear-groups" \
    "setpriv --reuid=65534 --regid=65534 --clear-groups"; do
    owner=$($account id -u 2> /dev/null) && [ "$owner" != 0 ] && return 0
  done
  echo "The image has neither gosu nor su-exec nor a setpriv that changes users, and PostgreSQL refuses to run as root"
  exit 1
}

put() {
  rm -f "$data/$1"
  printf '%s' "$2" > "$data/$1"
  chown "$owner" "$data/$1"
}

find_account
case $task in
  keep) # the volume's attendant, in which the other tasks run
    # The account goes through here, but lists nothing.
    chmod 711 /waymark
    while :; do sleep 3600; done
    ;;

  initdb) # initdb <node> <arguments of initdb...>
    mkdir "$data"
    chown "$owner" "$data"
    secret=/waymark/$node.password
    printf '%s\n' "$WAYMARK_PASSWORD" > "$secret"
    chown "$owner" "$secret"
    $account initdb -D "$data" --pwfile "$secret" "$@"
    rm "$secret"
    put pg_hba.conf "$WAYMARK_ACCESS"
    put postgresql.conf "$WAYMARK_CONFIGURATION"
    ;;

  copy) # copy <node> <source node> <entries whose contents stay behind...>
    source=/waymark/$1
    shift
    rm -rf "$data"
    mkdir "$data"
    failures=
    for entry in "$source"/*; do
      name=${entry##*/}
      case " $* " in
        *" $name "*)
          [ ! -d "$entry" ] || mkdir "$data/$name"
          continue
          ;;
      esac
      # A running server drops files meanwhile; replaying the log from the backup's start drops them too.
      lines=$(cp -R "$entry" "$data/" 2>&1) && continue
      while read -r line; do
        case $line in
          *"No such file or directory"*) ;;
          *) failures="$failures$line
" ;;
        esac
      done << END
$lines
END
    done
    if [ -n "$failures" ]; then
      echo "$failures"
      exit 1
    fi
    put postgresql.conf "$WAYMARK_CONFIGURATION"
    chown -R "$owner" "$data"
    ;;

  put) # put <node> <file>
    put "$1" "$WAYMARK_TEXT"
    ;;

  serve)
    exec $account postgres -D "$data"
    ;;
esac
