package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.Node;
import dev.waymark.Role;
import dev.waymark.Shard;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Shard views for tests, without servers. */
final class Views {
  static final long SYSTEM = 42;

  private Views() {}

  /** A shard of nodes a, b, c... none of which has been seen. */
  static ShardView unseen(int nodes) {
    return ShardView.unknown(
        new Shard(
            "shard-1",
            IntStream.range(0, nodes)
                .mapToObj(
                    i -> {
                      String name = String.valueOf((char) ('a' + i));
                      return new Node(name, "jdbc:postgresql://" + name + ":5432/app");
                    })
                .toList()),
        1);
  }

  static LogPosition at(int timeline, long lsn) {
    return new LogPosition(SYSTEM, timeline, lsn);
  }

  static ShardView up(ShardView view, int index, Role role, LogPosition position) {
    return up(view, index, role, position, null);
  }

  static ShardView up(
      ShardView view, int index, Role role, LogPosition position, @Nullable Long freshAsOfNanos) {
    return up(view, index, role, position, freshAsOfNanos, 0);
  }

  /** Looked at, at an instant; each node is a server of its own, with its index as its number. */
  static ShardView up(
      ShardView view,
      int index,
      Role role,
      LogPosition position,
      @Nullable Long freshAsOfNanos,
      long lookedAtNanos) {
    return view.with(
        view.node(index)
            .with(
                new NodeView.Observed(
                    role,
                    position,
                    index,
                    lookedAtNanos,
                    lookedAtNanos,
                    freshAsOfNanos,
                    freshAsOfNanos == null,
                    0,
                    null,
                    false)));
  }

  static ShardView down(ShardView view, int index) {
    return view.with(view.node(index).down("connection refused", false));
  }

  /** Primary a at LSN 100, replicas b and c where told, all on timeline 1. */
  static ShardView primaryAndReplicas(long b, long c) {
    ShardView view = up(unseen(3), 0, Role.PRIMARY, at(1, 100));
    view = up(view, 1, Role.REPLICA, at(1, b));
    return up(view, 2, Role.REPLICA, at(1, c));
  }
}
