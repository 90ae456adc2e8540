package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.waymark.WaymarkConfig;
import dev.waymark.sample.UniqueEmails.Reservation;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import io.opentelemetry.api.OpenTelemetry;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Every place at which a process may die or be frozen while it takes or leaves an address. */
@Timeout(120)
class UniqueEmailsIT {
  private static final AtomicInteger NUMBERS = new AtomicInteger();

  private static TestCluster cluster;
  private static SampleService service;
  private static UniqueEmails emails;

  private final String email = "unique" + NUMBERS.incrementAndGet() + "@example.org";

  @BeforeAll
  static void start() throws Exception {
    cluster = TestCluster.builder().shards(2).replicas(0).start();
    WaymarkConfig config = Demo.config(cluster, 10_000);
    // Whatever is unconfirmed counts as left behind at once.
    service =
        SampleService.open(
            config, ServerSettings.defaults().withEmailGrace(Duration.ZERO), OpenTelemetry.noop());
    SampleSchema.install(service.database());
    emails = service.emails();
  }

  @AfterAll
  static void stop() {
    service.close();
    cluster.close();
  }

  private long newId() {
    return service.database().keys().next();
  }

  /** What {@link Users} does in its transaction, and then no more. */
  private void useAndDie(Reservation reservation) throws SQLException {
    service
        .database()
        .write(
            reservation.userId(),
            connection -> {
              UniqueEmails.use(connection, reservation);
              return insert(connection, reservation);
            });
  }

  private static int insert(Connection connection, Reservation reservation) throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement("INSERT INTO users (id, name, email) VALUES (?, 'x', ?)")) {
      insert.setLong(1, reservation.userId());
      insert.setString(2, reservation.email());
      return insert.executeUpdate();
    }
  }

  private User create(String address) throws SQLException {
    return service.users().create(new Users.Draft("Somebody", address), null).value();
  }

  private static int count(String sql) throws SQLException {
    int sum = 0;
    for (ShardServers shard : cluster.shards()) {
      try (Connection connection = shard.primary().connect();
          Statement statement = connection.createStatement();
          ResultSet row = statement.executeQuery(sql)) {
        row.next();
        sum += row.getInt(1);
      }
    }
    return sum;
  }

  private int usersWithIt() throws SQLException {
    return count("SELECT count(*) FROM users WHERE email = '" + email + "'");
  }

  private int entriesOfIt() throws SQLException {
    return count("SELECT count(*) FROM user_emails WHERE email = '" + email + "'");
  }

  @Test
  void whoComesLateFindsTheReservationRevokedAndWritesNothing() throws Exception {
    Reservation frozen = emails.reserve(email, newId());
    User winner = create(email);

    assertThatThrownBy(() -> useAndDie(frozen)).isInstanceOf(UniqueEmails.RevokedException.class);
    assertThat(usersWithIt()).isEqualTo(1);
    assertThat(emails.ownerOf(email)).hasValue(winner.id());
  }

  @Test
  void aUserWhoseProcessDiedBeforeItConfirmedKeepsTheAddress() throws Exception {
    Reservation unconfirmed = emails.reserve(email, newId());
    useAndDie(unconfirmed);

    assertThat(catchThrowableOfType(Refusal.class, () -> create(email)).problem())
        .isEqualTo(Problem.EMAIL_TAKEN);
    service.reaper().runOnce();
    assertThat(emails.ownerOf(email)).hasValue(unconfirmed.userId());
    assertThat(count("SELECT count(*) FROM user_emails WHERE NOT confirmed")).isZero();
  }

  @Test
  void aReservationThatWasLeftBehindIsCleared() throws Exception {
    emails.reserve(email, newId());
    service.reaper().runOnce();

    assertThat(entriesOfIt()).isZero();
    create(email);
  }

  @Test
  void whoeverSettlesWaitsForATransactionThatUsesTheReservation() throws Exception {
    Reservation slow = emails.reserve(email, newId());
    CountDownLatch used = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    CompletableFuture<Void> writer =
        CompletableFuture.runAsync(
            () -> {
              try {
                service
                    .database()
                    .write(
                        slow.userId(),
                        connection -> {
                          UniqueEmails.use(connection, slow);
                          insert(connection, slow);
                          used.countDown();
                          goOn.await();
                          return true;
                        });
              } catch (Exception failure) {
                throw new IllegalStateException(failure);
              }
            });
    used.await();
    CompletableFuture<Problem> rival =
        CompletableFuture.supplyAsync(
            () -> catchThrowableOfType(Refusal.class, () -> create(email)).problem());
    await()
        .until(
            () ->
                count("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == 1);
    goOn.countDown();

    writer.join();
    assertThat(rival.join()).isEqualTo(Problem.EMAIL_TAKEN);
    assertThat(usersWithIt()).isEqualTo(1);
  }

  @Test
  void anAddressThatWasGivenUpByAProcessThatThenDiedIsFree() throws Exception {
    User user = create(email);
    giveUpAndDie(user, "UPDATE users SET email = 'moved-" + email + "' WHERE id = " + user.id());

    assertThat(entriesOfIt()).isEqualTo(1);
    create(email);
    assertThat(usersWithIt()).isEqualTo(1);
  }

  @Test
  void anAddressOfADeletedUserIsClearedByTheReaper() throws Exception {
    User user = create(email);
    giveUpAndDie(user, "DELETE FROM users WHERE id = " + user.id());
    service.reaper().runOnce();

    assertThat(entriesOfIt()).isZero();
    assertThat(count("SELECT count(*) FROM email_uses WHERE state = 'released'")).isZero();
  }

  private static void giveUpAndDie(User user, String sql) throws SQLException {
    service
        .database()
        .write(
            user.id(),
            connection -> {
              try (Statement statement = connection.createStatement()) {
                statement.execute(sql);
              }
              UniqueEmails.release(connection, user.id(), user.email());
              return true;
            });
  }

  @Test
  void aUserMayComeBackToAnAddressOfItsOwn() throws Exception {
    User user = create(email);
    for (int i = 0; i < 3; i++) {
      service.users().update(user.id(), new Users.Change(null, "away-" + email), before -> {});
      service.users().update(user.id(), new Users.Change(null, email), before -> {});
    }
    assertThat(emails.ownerOf(email)).hasValue(user.id());
    assertThat(entriesOfIt()).isEqualTo(1);
    assertThat(emails.ownerOf("away-" + email)).isEmpty();
  }

  @Test
  void aSecondUseOfARevokedReservationOfTheSameUserDoesNotReviveIt() throws Exception {
    long id = newId();
    Reservation first = emails.reserve(email, id);
    // Somebody else's try revokes it and then fails.
    emails.settle(email, id);
    Reservation second = emails.reserve(email, id);
    useAndDie(second);
    emails.settle(email, id);

    assertThat(first.id()).isNotEqualTo(second.id());
    assertThatThrownBy(
            () ->
                service
                    .database()
                    .write(
                        id,
                        connection -> {
                          UniqueEmails.use(connection, first);
                          return true;
                        }))
        .isInstanceOf(UniqueEmails.RevokedException.class);
    assertThat(entriesOfIt()).isEqualTo(1);
  }

  @Test
  void aSlowCreationBeginsAgainAndSucceeds() throws Exception {
    // With a grace of nothing a rival's try revokes every reservation that it meets.
    List<CompletableFuture<Boolean>> tries = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      tries.add(
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  create(email);
                  return true;
                } catch (Refusal taken) {
                  return false;
                } catch (SQLException failure) {
                  throw new IllegalStateException(failure);
                }
              }));
    }
    assertThat(tries.stream().map(CompletableFuture::join).filter(won -> won)).hasSizeLessThan(2);
    assertThat(usersWithIt()).isLessThan(2);
    service.reaper().runOnce();
    assertThat(entriesOfIt()).isEqualTo(usersWithIt());
  }
}
