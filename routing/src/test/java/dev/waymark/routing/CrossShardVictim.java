package dev.waymark.routing;

import dev.waymark.Credentials;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.WaymarkConfig;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/** A process that begins to commit across shards, says how far it is, and waits to be killed. */
final class CrossShardVictim {
  private CrossShardVictim() {}

  /** The step to stop at, user, password, and the URL of each shard. */
  public static void main(String[] arguments) throws SQLException {
    CrossShardStep last = CrossShardStep.valueOf(arguments[0]);
    List<Shard> shards = new ArrayList<>();
    List<OwnedRange> ranges = new ArrayList<>();
    for (int i = 3; i < arguments.length; i++) {
      String name = "shard-" + (i - 2);
      shards.add(new Shard(name, List.of(Node.at(arguments[i]))));
      long from = 1 + (i - 3) * (long) Clusters.KEYS_PER_SHARD;
      ranges.add(new OwnedRange(new KeyRange(from, from + Clusters.KEYS_PER_SHARD), name));
    }
    WaymarkConfig config =
        WaymarkConfig.of(
            ShardMap.of(1, shards, ranges, List.of(new Table.Sharded("users", "id"))),
            new Credentials(arguments[1], arguments[2]));
    try (ShardedDatabase database = ShardedDatabase.open(config)) {
      database.<Integer, SQLException>acrossShards(
          step -> {
            if (step == last) {
              System.out.println("reached " + step);
              awaitDeath();
            }
          },
          transaction -> {
            for (int i = 0; i < shards.size(); i++) {
              long key = 7 + i * (long) Clusters.KEYS_PER_SHARD;
              Clusters.save(transaction.on(key).connection(), key, last.name());
            }
            return 0;
          });
    }
  }

  private static void awaitDeath() {
    try {
      new CountDownLatch(1).await();
    } catch (InterruptedException never) {
      throw new IllegalStateException(never);
    }
  }
}
