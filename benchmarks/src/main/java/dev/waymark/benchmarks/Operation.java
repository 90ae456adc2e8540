package dev.waymark.benchmarks;

import java.sql.SQLException;
import java.util.Arrays;

/** What a client does again and again; its group in the summary has its name. */
enum Operation {
  POINT_READ("point-read") {
    @Override
    void run(Contender contender, long key) throws SQLException {
      User found = contender.find(key);
      if (found.id() != key) {
        throw new IllegalStateException("Asked for user " + key + ", got " + found);
      }
    }
  },
  UPDATE("update") {
    @Override
    void run(Contender contender, long key) throws SQLException {
      check(contender.rename(key), 1);
    }
  },
  INSERT("insert") {
    @Override
    void run(Contender contender, long key) throws SQLException {
      check(contender.visit(key), 1);
    }
  },
  TRANSACTION("transaction") {
    @Override
    void run(Contender contender, long key) throws SQLException {
      check(contender.checkIn(key), 2);
    }
  };

  private final String group;

  Operation(String group) {
    this.group = group;
  }

  String group() {
    return group;
  }

  static Operation of(String group) {
    return Arrays.stream(values())
        .filter(operation -> operation.group.equals(group))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("There is no operation '" + group + "'"));
  }

  /** Does it once, and looks whether it was done. */
  abstract void run(Contender contender, long key) throws SQLException;

  private static void check(int changed, int expected) {
    if (changed != expected) {
      throw new IllegalStateException("Changed " + changed + " rows instead of " + expected);
    }
  }
}
