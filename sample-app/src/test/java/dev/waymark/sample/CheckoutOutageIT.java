package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.Consistency;
import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import io.opentelemetry.api.OpenTelemetry;
import java.math.BigDecimal;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Checkouts and events while a shard does not answer, and after another primary has its place. */
@Timeout(240)
class CheckoutOutageIT {
  private static final BigDecimal OPENING = new BigDecimal("1000.00");
  private static final Duration PATIENCE = Duration.ofSeconds(90);

  /** More than there are threads to carry them on. */
  private static final int MANY = 12;

  @Test
  void aFrozenShardKeepsNoOthersWaitingAndAllGoesOnAfterThePromotion() throws Exception {
    try (TestCluster cluster = TestCluster.builder().shards(2).replicas(1).redis().start()) {
      WaymarkConfig config =
          Demo.config(cluster, 10_000)
              .withRedis(WaymarkConfig.Redis.at(cluster.redis().url()))
              .withCalls(new WaymarkConfig.Calls(Duration.ofSeconds(2), Consistency.session()));
      try (SampleService service =
          SampleService.open(
              config,
              ServerSettings.defaults()
                  .withWork(
                      new WorkSettings(
                          Duration.ofMillis(100),
                          Duration.ofSeconds(1),
                          Duration.ofMinutes(15),
                          Duration.ofSeconds(1),
                          OPENING)),
              OpenTelemetry.noop())) {
        SampleSchema.install(service.database());
        service.startWork();
        long near = user(service, "shard-1", "shard-1");
        long far = user(service, "shard-1", "shard-2");
        long away = user(service, "shard-2", "shard-1");
        ShardServers one = cluster.shard("shard-1");
        ShardServers two = cluster.shard("shard-2");
        await().atMost(PATIENCE).until(() -> times(two, away, "user.created").equals(List.of("1")));

        two.primary().freeze();
        try (EventStream stream = EventStream.over(config.redis().orElseThrow())) {
          stream.append(
              IntStream.range(0, MANY)
                  .mapToObj(
                      i ->
                          new Event(
                              UUID.randomUUID(),
                              Event.Type.PAYMENT_FAILED.word(),
                              away,
                              "{}",
                              Instant.now()))
                  .toList());
        }
        List<Order> waiting = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
          waiting.add(begin(service, far));
        }
        Order unconcerned = begin(service, near);
        await().atMost(PATIENCE).until(() -> isConfirmed(service, unconcerned));
        await()
            .atMost(PATIENCE)
            .until(() -> times(one, near, "order.confirmed").equals(List.of("1")));
        for (Order order : waiting) {
          assertThat(service.orders().find(far, order.id()).value().status())
              .isEqualTo(Order.Status.PENDING);
        }

        two.replicas().get(0).promote();
        for (Order order : waiting) {
          await().atMost(PATIENCE).until(() -> isConfirmed(service, order));
        }
        Order there =
            await()
                .atMost(PATIENCE)
                .ignoreExceptions()
                .until(() -> begin(service, away), o -> true);
        await().atMost(PATIENCE).ignoreExceptions().until(() -> isConfirmed(service, there));
        await()
            .atMost(PATIENCE)
            .until(() -> times(two, away, "payment.failed").equals(List.of("" + MANY)));
        await()
            .atMost(PATIENCE)
            .until(() -> times(two, away, "order.confirmed").equals(List.of("1")));
      }
    }
  }

  private static long user(SampleService service, String home, String account) throws SQLException {
    while (true) {
      long id =
          service
              .users()
              .create(new Users.Draft("Buyer", UUID.randomUUID() + "@example.org"), null)
              .value()
              .id();
      if (shard(service, id).equals(home)
          && shard(service, service.payments().slotOf(id)).equals(account)) {
        return id;
      }
    }
  }

  private static String shard(SampleService service, long key) {
    return service.database().map().shardFor(key).name();
  }

  private static Order begin(SampleService service, long userId) throws SQLException {
    return service
        .checkouts()
        .begin(userId, List.of(new Order.Item("A-1", 1, new BigDecimal("1.00"))), null)
        .value();
  }

  private static boolean isConfirmed(SampleService service, Order order) throws SQLException {
    return service.orders().find(order.userId(), order.id()).value().status()
        == Order.Status.CONFIRMED;
  }

  /** How often something was heard of a user, on the shard as it is now. */
  private static List<String> times(ShardServers shard, long userId, String type)
      throws SQLException {
    List<String> times = new ArrayList<>();
    try (var connection = shard.primary().connect();
        var statement =
            connection.prepareStatement(
                "SELECT times FROM activity_totals WHERE user_id = ? AND type = ?")) {
      statement.setLong(1, userId);
      statement.setString(2, type);
      try (var rows = statement.executeQuery()) {
        while (rows.next()) {
          times.add(rows.getString(1));
        }
      }
    }
    return times;
  }
}
