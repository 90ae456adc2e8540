package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.waymark.Consistency;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkConfig;
import dev.waymark.sample.Client.Reply;
import dev.waymark.testkit.TestCluster;
import io.opentelemetry.api.OpenTelemetry;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Checkouts as clients see them, and the events that tell of them. */
@Timeout(120)
class CheckoutIT {
  private static final BigDecimal OPENING = new BigDecimal("1000.00");
  private static final AtomicInteger NUMBERS = new AtomicInteger();

  private static TestCluster cluster;
  private static WaymarkConfig config;
  private static SampleService service;
  private static Client client;
  private static Ledger ledger;

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.builder().shards(2).replicas(0).redis().start();
    config = Demo.config(cluster, 10_000).withRedis(WaymarkConfig.Redis.at(cluster.redis().url()));
    service = open(Duration.ofMinutes(15));
    SampleSchema.install(service.database());
    client = new Client(service.serve("127.0.0.1", 0).port());
    ledger = new Ledger(cluster, OPENING);
  }

  @AfterAll
  static void stop() {
    service.close();
    cluster.close();
  }

  @AfterEach
  void theBooksAddUp() {
    await().atMost(Duration.ofSeconds(60)).until(() -> !ledger.hasOpenCheckouts());
    ledger.check();
  }

  private static SampleService open(Duration patience) {
    return SampleService.open(
        config,
        ServerSettings.defaults()
            .withWork(
                new WorkSettings(
                    Duration.ofMillis(100),
                    Duration.ofSeconds(1),
                    patience,
                    Duration.ofSeconds(1),
                    OPENING)),
        OpenTelemetry.noop());
  }

  @Test
  void aCheckoutThatIsPaidIsConfirmedOnWhateverShardTheAccountIs() {
    Set<Boolean> isElsewhere = new HashSet<>();
    while (isElsewhere.size() < 2) {
      Reply user = newUser();
      Reply accepted = checkOut(user, "19.99");

      assertThat(accepted.status()).isEqualTo(202);
      assertThat(accepted.data().path("status").asText()).isEqualTo("pending");
      assertThat(accepted.header("Location"))
          .isEqualTo(user.header("Location") + "/orders/" + accepted.data().path("id").asText());
      Reply ended = ended(accepted);
      assertThat(ended.data().path("status").asText()).isEqualTo("confirmed");
      assertThat(ended.data().has("cancel_reason")).isFalse();
      assertThat(ended.etag()).isNotEqualTo(accepted.etag());
      assertThat(paid(user)).containsExactly("19.99");
      isElsewhere.add(!accepted.header("Waymark-Shard").equals(accountShard(user)));
    }
  }

  @Test
  void aCheckoutThatIsDeclinedIsCancelledAndSaysWhy() {
    Reply user = newUser();

    Reply ended = ended(checkOut(user, "1000.01"));

    assertThat(ended.data().path("status").asText()).isEqualTo("cancelled");
    assertThat(ended.data().path("cancel_reason").asText()).isEqualTo("declined");
    assertThat(paid(user)).isEmpty();
  }

  @Test
  void theLastMoneyIsSpentOnce() {
    Reply user = newUser();
    List<CompletableFuture<Reply>> many =
        IntStream.range(0, 5)
            .mapToObj(i -> CompletableFuture.supplyAsync(() -> ended(checkOut(user, "400"))))
            .toList();

    assertThat(many.stream().map(each -> each.join().data().path("status").asText()))
        .containsExactlyInAnyOrder("confirmed", "confirmed", "cancelled", "cancelled", "cancelled");
    assertThat(paid(user)).containsExactly("400.00", "400.00");
  }

  @Test
  void aRepeatedRequestIsOneCheckout() {
    Reply user = newUser();
    String path = user.header("Location") + "/checkout";
    Reply first = client.post(path, items("5"), "Idempotency-Key", "once");
    ended(first);

    Reply again = client.post(path, items("5"), "Idempotency-Key", "once");
    Reply other = client.post(path, items("6"), "Idempotency-Key", "once");

    assertThat(again.status()).isEqualTo(202);
    assertThat(again.header("Idempotent-Replayed")).isEqualTo("true");
    assertThat(again.data()).isEqualTo(first.data());
    assertThat(other.status()).isEqualTo(422);
    assertThat(paid(user)).containsExactly("5.00");
  }

  @Test
  void nothingIsBegunForAUserWhoIsNotThere() {
    Reply nobody = client.post("/api/users/9999/checkout", items("5"));

    assertThat(nobody.status()).isEqualTo(404);
    assertThat(nobody.errorCode()).isEqualTo("no_such_user");
    assertThat(ledger.column("SELECT id FROM checkouts WHERE user_id = 9999")).isEmpty();
  }

  @Test
  void ordersWithoutACheckoutArePlaced() {
    Reply order = client.post(newUser().header("Location") + "/orders", items("5"));

    assertThat(order.data().path("status").asText()).isEqualTo("placed");
  }

  @Test
  void whatIsNotPaidInTimeIsCancelled() throws Exception {
    // A process that has no time at all; it does not take part in the work of others.
    try (SampleService hurried = open(Duration.ZERO)) {
      Reply user = newUser();
      long id = user.data().path("id").asLong();
      cluster.shards().forEach(shard -> shard.primary().execute(HELD_TASKS));
      try {
        Order order =
            hurried
                .checkouts()
                .begin(id, List.of(new Order.Item("A", 1, new BigDecimal("7.00"))), null)
                .value();
        UUID checkout =
            UUID.fromString(
                ledger
                    .column(
                        "SELECT id FROM checkouts WHERE order_id = "
                            + order.id()
                            + " AND user_id = "
                            + id)
                    .get(0));
        hurried.checkouts().carryOn(id, checkout);

        Order ended = hurried.orders().find(id, order.id()).value();
        assertThat(ended.status()).isEqualTo(Order.Status.CANCELLED);
        assertThat(ended.cancelReason()).isEqualTo("unavailable");
        // The payment was called off before it came: it comes too late.
        assertThat(service.payments().pay(checkout, id, order.totalAmount()))
            .isEqualTo(PaymentService.Answer.CALLED_OFF);
        assertThat(paid(user)).isEmpty();
      } finally {
        cluster.shards().forEach(shard -> shard.primary().execute(FREED_TASKS));
      }
    }
  }

  /** New checkouts' tasks are for the far future, so that the test alone carries them on. */
  private static final String HELD_TASKS =
      """
      CREATE FUNCTION hold_task() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        NEW.execution_time := now() + interval '1 day';
        RETURN NEW;
      END $$;
      CREATE TRIGGER hold_task BEFORE INSERT ON scheduled_tasks
        FOR EACH ROW EXECUTE FUNCTION hold_task();
      """;

  private static final String FREED_TASKS =
      """
      DROP TRIGGER hold_task ON scheduled_tasks;
      DROP FUNCTION hold_task();
      UPDATE scheduled_tasks SET execution_time = now() WHERE execution_time > now() + interval '1 hour';
      """;

  @Test
  void whoeverCarriesItOnAtTheSameTimeItIsPaidAndToldOnce() {
    Reply user = newUser();
    String id = user.data().path("id").asText();
    Reply accepted = checkOut(user, "10");
    UUID checkout =
        UUID.fromString(ledger.column("SELECT id FROM checkouts WHERE user_id = " + id).get(0));

    List<CompletableFuture<Void>> many =
        IntStream.range(0, 6)
            .mapToObj(
                i ->
                    CompletableFuture.runAsync(
                        () -> {
                          try {
                            service.checkouts().carryOn(Long.parseLong(id), checkout);
                          } catch (java.sql.SQLException failure) {
                            throw new AssertionError(failure);
                          }
                        }))
            .toList();
    many.forEach(CompletableFuture::join);

    assertThat(ended(accepted).data().path("status").asText()).isEqualTo("confirmed");
    assertThat(paid(user)).containsExactly("10.00");
    await()
        .atMost(Duration.ofSeconds(60))
        .untilAsserted(
            () -> assertThat(totals(id)).containsExactly("order.confirmed 1", "user.created 1"));
  }

  @Test
  void aPaymentIsMadeAndGivenBackOnce() throws Exception {
    long id = newUser().data().path("id").asLong();
    UUID payment = UUID.randomUUID();
    AccountPayments payments = service.payments();

    for (int i = 0; i < 3; i++) {
      assertThat(payments.pay(payment, id, BigDecimal.TEN)).isEqualTo(PaymentService.Answer.PAID);
    }
    assertThat(balance(id)).isEqualTo("990.00");
    for (int i = 0; i < 3; i++) {
      payments.callOff(payment, id, BigDecimal.TEN);
    }
    assertThat(balance(id)).isEqualTo("1000.00");
    assertThat(payments.pay(payment, id, BigDecimal.TEN))
        .isEqualTo(PaymentService.Answer.CALLED_OFF);
    assertThat(balance(id)).isEqualTo("1000.00");
    cluster
        .shards()
        .forEach(
            shard -> shard.primary().execute("DELETE FROM payments WHERE id = '" + payment + "'"));
  }

  @Test
  void eventsReachTheStreamAndCountOnce() {
    Reply user = newUser();
    String id = user.data().path("id").asText();
    ended(checkOut(user, "1"));
    ended(checkOut(user, "2"));
    ended(checkOut(user, "5000"));

    await()
        .atMost(Duration.ofSeconds(60))
        .untilAsserted(
            () ->
                assertThat(totals(id))
                    .containsExactly("order.confirmed 2", "payment.failed 1", "user.created 1"));
    assertThat(told(id))
        .contains("user.created", "order.confirmed", "payment.failed")
        .first()
        .isEqualTo("user.created");
    await()
        .atMost(Duration.ofSeconds(60))
        .until(() -> ledger.column("SELECT id FROM outbox").isEmpty());
  }

  @Test
  void anEventOfALaterVersionIsLeftToAProcessThatKnowsIt() {
    Reply user = newUser();
    long id = user.data().path("id").asLong();
    Event later = new Event(UUID.randomUUID(), "user.promoted", id, "{}", Instant.now());
    Event known =
        new Event(UUID.randomUUID(), Event.Type.ORDER_CONFIRMED.word(), id, "{}", later.at());
    try (EventStream stream = EventStream.over(config.redis().orElseThrow())) {
      stream.append(List.of(later, known));

      await()
          .atMost(Duration.ofSeconds(60))
          .untilAsserted(() -> assertThat(totals("" + id)).contains("order.confirmed 1"));
      List<EventStream.Entry> left =
          await()
              .atMost(Duration.ofSeconds(60))
              .until(
                  () ->
                      stream.claim("activity", "newer", Duration.ZERO, 1_000).stream()
                          .filter(entry -> later.equals(entry.event()))
                          .toList(),
                  found -> !found.isEmpty());
      assertThat(totals("" + id)).noneMatch(line -> line.startsWith("user.promoted"));
      stream.done("activity", left);
    }
  }

  @Test
  void aTaskThatCannotBeWrittenInTimeIsToldAsThatAndNotAsAnAbortedTransaction() throws Exception {
    long id = newUser().data().path("id").asLong();
    WaymarkConfig hurry =
        config.withCalls(new WaymarkConfig.Calls(Duration.ofSeconds(1), Consistency.session()));
    String home = service.database().map().shardFor(id).name();
    List<Order.Item> items = List.of(new Order.Item("A", 1, new BigDecimal("7.00")));
    try (SampleService hurried = SampleService.open(hurry);
        Connection held = cluster.shard(home).primary().connect();
        Statement lock = held.createStatement()) {
      held.setAutoCommit(false);
      lock.execute("LOCK TABLE scheduled_tasks IN SHARE MODE");

      assertThatThrownBy(() -> hurried.checkouts().begin(id, items, null))
          .isInstanceOf(UnavailableException.class);
      held.rollback();
    }
    assertThat(ledger.column("SELECT id FROM checkouts WHERE user_id = " + id)).isEmpty();
  }

  @Test
  void eventsWaitWhileRedisIsDown() {
    cluster.redis().kill();
    Reply user;
    try {
      user = newUser();
      assertThat(ended(checkOut(user, "3")).data().path("status").asText()).isEqualTo("confirmed");
      assertThat(
              ledger.column(
                  "SELECT type FROM outbox WHERE user_id = "
                      + user.data().path("id").asText()
                      + " ORDER BY seq"))
          .containsExactly("user.created", "order.confirmed");
    } finally {
      cluster.redis().start();
    }
    String id = user.data().path("id").asText();

    await()
        .atMost(Duration.ofSeconds(60))
        .untilAsserted(
            () -> assertThat(totals(id)).containsExactly("order.confirmed 1", "user.created 1"));
  }

  // ---- what is asked for and looked at ---------------------------------------------------------

  private static Reply newUser() {
    return client.post(
        "/api/users",
        "{\"name\": \"Buyer\", \"email\": \"buyer%d@example.org\"}"
            .formatted(NUMBERS.incrementAndGet()));
  }

  private static String items(String price) {
    return "{\"items\": [{\"sku\": \"A-1\", \"quantity\": 1, \"unit_price\": " + price + "}]}";
  }

  private static Reply checkOut(Reply user, String price) {
    return client.post(user.header("Location") + "/checkout", items(price));
  }

  private static Reply ended(Reply accepted) {
    return await()
        .atMost(Duration.ofSeconds(30))
        .until(
            () -> client.get(accepted.header("Location"), "Waymark-Session", accepted.token()),
            order ->
                order.status() == 200 && !order.data().path("status").asText().equals("pending"));
  }

  private static List<String> paid(Reply user) {
    return ledger.column(
        "SELECT amount FROM payments WHERE state = 'paid' AND user_id = "
            + user.data().path("id").asText());
  }

  private static String balance(long id) {
    return ledger.column("SELECT balance FROM accounts WHERE user_id = " + id).get(0);
  }

  private static String accountShard(Reply user) {
    try {
      long slot = service.payments().slotOf(user.data().path("id").asLong());
      return service.database().map().shardFor(slot).name();
    } catch (java.sql.SQLException failure) {
      throw new AssertionError(failure);
    }
  }

  private static List<String> totals(String id) {
    return ledger
        .rows("SELECT type, times FROM activity_totals WHERE user_id = " + id + " ORDER BY type")
        .stream()
        .map(row -> String.join(" ", row))
        .toList();
  }

  /** As another group of consumers hears it, from the beginning. */
  private static List<String> told(String id) {
    String group = "test-" + UUID.randomUUID();
    try (EventStream stream = EventStream.over(config.redis().orElseThrow())) {
      stream.makeGroup(group);
      return stream.take(group, "test", 10_000).stream()
          .map(EventStream.Entry::event)
          .filter(event -> event.userId() == Long.parseLong(id))
          .map(event -> event.type())
          .toList();
    }
  }
}
