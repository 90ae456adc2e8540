package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.Credentials;
import dev.waymark.KeyRange;
import dev.waymark.Node;
import dev.waymark.OwnedRange;
import dev.waymark.Shard;
import dev.waymark.ShardMap;
import dev.waymark.WaymarkConfig;
import dev.waymark.routing.ShardedDatabase;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.util.List;
import org.junit.jupiter.api.Test;

class SampleSchemaIT {
  @Test
  void aShardThatComesLaterGetsTheRingThatThereIs() throws Exception {
    try (TestCluster cluster = TestCluster.builder().shards(2).replicas(0).start()) {
      PostgresServer later = cluster.shard(0).primary();
      PostgresServer first = cluster.shard(1).primary();
      Shard old = new Shard("old", List.of(Node.at(first.url())));
      Shard added = new Shard("added", List.of(Node.at(later.url())));
      OwnedRange upper = new OwnedRange(new KeyRange(100_000, 200_000), "old");
      OwnedRange lower = new OwnedRange(new KeyRange(1, 100_000), "added");
      Credentials credentials = new Credentials(first.user(), first.password());

      long before = installAndFind(List.of(old), List.of(upper), credentials);
      // The new one is the first of the file, and of the ranges as well.
      long after = installAndFind(List.of(added, old), List.of(lower, upper), credentials);

      assertThat(after).isEqualTo(before);
    }
  }

  private static long installAndFind(
      List<Shard> shards, List<OwnedRange> ranges, Credentials credentials) throws Exception {
    ShardMap map = ShardMap.of(1, shards, ranges, List.copyOf(SampleSchema.tables()));
    try (ShardedDatabase database = ShardedDatabase.open(WaymarkConfig.of(map, credentials))) {
      SampleSchema.install(database);
      return HashRing.load(database).keyOf("ada@example.org");
    }
  }
}
