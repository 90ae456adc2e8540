package dev.waymark.benchmarks;

import dev.waymark.Consistency;
import dev.waymark.Credentials;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.Table;
import dev.waymark.WaymarkConfig;
import dev.waymark.cache.CacheAnswer;
import dev.waymark.cache.Codec;
import dev.waymark.cache.RedisTier;
import dev.waymark.cache.TieredCache;
import dev.waymark.routing.ShardedDatabase;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The other process of the invalidation figure: reads one key through its cache all the time, at
 * most {@value #PAUSE} ns apart, and prints {@code seen version nanos} when it gets a new version,
 * by the machine's clock that both processes have in common, and {@code held version} when L1
 * answers with it: then the next write has something to invalidate. Ends when it is killed.
 */
final class InvalidationWorker {
  static final long KEY = 7;

  /** A reader that never rests would take the core that all the others need. */
  private static final long PAUSE = 50_000;

  private InvalidationWorker() {}

  public static void main(String[] arguments) throws InterruptedException {
    ShardedDatabase database =
        ShardedDatabase.open(config(arguments[1], arguments[2], arguments[3], arguments[4]));
    TieredCache<Long, Long> versions = versions(database, StubRows.connect(arguments[0]));
    System.out.println("ready");
    long seen = -1;
    long held = -1;
    while (true) {
      CacheAnswer<Long> answer = versions.lookup(KEY);
      Long version = answer.value();
      if (version != null && version > seen) {
        seen = version;
        System.out.println("seen " + seen + " " + System.nanoTime());
      }
      if (version != null && version > held && answer.tier() == CacheAnswer.Tier.L1) {
        held = version;
        System.out.println("held " + held);
      }
      LockSupport.parkNanos(PAUSE);
    }
  }

  static TieredCache<Long, Long> versions(ShardedDatabase database, RedisTier tier) {
    return TieredCache.<Long, Long>builder(
            "versions",
            key ->
                database.<@Nullable Long, SQLException>readPositioned(
                    key, Consistency.strong(), connection -> find(connection, key)))
        .redis(tier)
        .horizons(database::horizon)
        .codec(Codec.json(Long.class, 1))
        .build();
  }

  static WaymarkConfig config(String shard, String url, String user, String password) {
    ShardMap map =
        ShardMap.of(
            1,
            List.of(new Shard(shard, List.of(new Node("primary", url)))),
            List.of(new OwnedRange(new KeyRange(1, 101), shard)),
            List.of(new Table.Sharded("users", "id")));
    return WaymarkConfig.of(map, new Credentials(user, password));
  }

  private static long find(Connection connection, long key) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement("SELECT version FROM users WHERE id = ?")) {
      select.setLong(1, key);
      try (ResultSet answer = select.executeQuery()) {
        answer.next();
        return answer.getLong(1);
      }
    }
  }
}
