# Becomes one server: sh launch.sh <cluster directory> <server name> <signal that ends it> <command...>
#
# The process id is on record before the server exists, and only then is the guard's mark looked
# at. The guard makes its mark first and reads the records afterwards, so whichever of the two is
# slower sees the other: no server can slip through a JVM that is killed while it starts one.
dir=$1 name=$2 signal=$3
shift 3
echo "$signal $$" > "$dir/pids/$name" || exit 97
[ -e "$dir/closing" ] && exit 97
exec "$@"
