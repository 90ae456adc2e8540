package dev.waymark.benchmarks;

import java.sql.SQLException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** What a client does again and again; its group in the summary has its name. */
enum Operation {
  POINT_READ("point-read", Reach.ONE_SHARD) {
    @Override
    void run(Contender contender, Topology topology, long key) throws SQLException {
      User found = contender.find(key);
      if (found.id() != key) {
        throw new IllegalStateException("Asked for user " + key + ", got " + found);
      }
    }
  },
  UPDATE("update", Reach.ONE_SHARD) {
    @Override
    void run(Contender contender, Topology topology, long key) throws SQLException {
      check(contender.rename(key), 1);
    }
  },
  INSERT("insert", Reach.ONE_SHARD) {
    @Override
    void run(Contender contender, Topology topology, long key) throws SQLException {
      check(contender.visit(key), 1);
    }
  },
  TRANSACTION("transaction", Reach.ONE_SHARD) {
    @Override
    void run(Contender contender, Topology topology, long key) throws SQLException {
      check(contender.checkIn(key), 2);
    }
  },
  SCATTER_IN("scatter-in", Reach.ALL_SHARDS) {
    @Override
    void run(Contender contender, Topology topology, long key) throws SQLException {
      long[] keys = new long[topology.shards().size()];
      for (int shard = 0; shard < keys.length; shard++) {
        keys[shard] = 1 + (key - 1) % topology.keysPerShard() + shard * topology.keysPerShard();
      }
      List<User> found = contender.scatter().find(keys);
      long[] ids = found.stream().mapToLong(User::id).sorted().toArray();
      if (!Arrays.equals(ids, keys)) {
        throw new IllegalStateException(
            "Asked for users " + Arrays.toString(keys) + ", got " + found);
      }
    }
  },
  SCATTER_NEWEST("scatter-newest", Reach.ALL_SHARDS) {
    @Override
    void run(Contender contender, Topology topology, long key) throws SQLException {
      List<User> found = contender.scatter().newest();
      for (int i = 0; i < Scatter.HOW_MANY; i++) {
        if (found.get(i).id() != topology.keys() - i) {
          throw new IllegalStateException("Not the newest users: " + found);
        }
      }
    }
  },
  SCATTER_COUNT("scatter-count", Reach.ALL_SHARDS) {
    @Override
    void run(Contender contender, Topology topology, long key) throws SQLException {
      Map<String, Long> states = contender.scatter().states();
      long each = (long) Users.ORDERS / Users.STATES * topology.shards().size();
      if (states.size() != Users.STATES || states.values().stream().anyMatch(n -> n != each)) {
        throw new IllegalStateException("Not the orders of each state: " + states);
      }
    }
  };

  /** How much of the database it concerns. */
  enum Reach {
    /** The calling thread does all the work. */
    ONE_SHARD,
    /** Other threads work for it as well. */
    ALL_SHARDS
  }

  private final String group;
  private final Reach reach;

  Operation(String group, Reach reach) {
    this.group = group;
    this.reach = reach;
  }

  String group() {
    return group;
  }

  Reach reach() {
    return reach;
  }

  static Operation of(String group) {
    return Arrays.stream(values())
        .filter(operation -> operation.group.equals(group))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("There is no operation '" + group + "'"));
  }

  /** Does it once, and looks whether it was done. */
  abstract void run(Contender contender, Topology topology, long key) throws SQLException;

  private static void check(int changed, int expected) {
    if (changed != expected) {
      throw new IllegalStateException("Changed " + changed + " rows instead of " + expected);
    }
  }
}
