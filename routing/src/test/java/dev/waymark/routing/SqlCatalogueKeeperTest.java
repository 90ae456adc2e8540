package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;

class SqlCatalogueKeeperTest {
  private static final long MAXIMUM_AGE = 1_000;
  private static final long PAUSE = 10;

  private long now;
  private long loads;
  private boolean isDown;
  private boolean isOfAll = true;
  private Runnable whileItIsRead = () -> {};
  private SqlCatalogue second;

  private long loadsOfBuiltIns;
  private BuiltIns below = BuiltIns.none();

  private final SqlCatalogueKeeper keeper =
      new SqlCatalogueKeeper(
          new SqlCatalogueKeeper.Source() {
            @Override
            public SqlCatalogueKeeper.Reading load() throws SQLException {
              Runnable meanwhile = whileItIsRead;
              whileItIsRead = () -> {};
              meanwhile.run();
              failIfDown();
              loads++;
              SqlCatalogue first = catalogue(loads, Set.of("="));
              return new SqlCatalogueKeeper.Reading(
                  second == null ? List.of(first) : List.of(first, second), isOfAll);
            }

            @Override
            public BuiltIns loadBuiltIns() throws SQLException {
              failIfDown();
              loadsOfBuiltIns++;
              return BuiltIns.of(
                  "18",
                  List.of(),
                  List.of(
                      new SqlCatalogue.FunctionRow(
                          "pg_catalog",
                          "lower",
                          SqlCatalogue.Volatility.QUIET,
                          SqlCatalogue.Arity.ONE,
                          SqlCatalogue.Use.ROW,
                          SqlCatalogue.Sight.ARGUMENTS,
                          null)),
                  Set.of("+"));
            }
          },
          () -> now,
          MAXIMUM_AGE,
          PAUSE);

  private void failIfDown() throws SQLException {
    if (isDown) {
      // Longer than a pause: found out by a deadline.
      now += 2 * PAUSE;
      throw new SQLException("down");
    }
  }

  private SqlCatalogue catalogue(long version, Set<String> operators) {
    return SqlCatalogue.of(
        version,
        new SqlCatalogue.Rows(
            List.of("pg_catalog"),
            List.of(),
            List.of(),
            operators,
            Set.of(),
            Set.of(),
            Map.of(),
            List.of()),
        below);
  }

  @Test
  void itIsReadOnceAndThenHeld() {
    assertThat(keeper.current()).isSameAs(keeper.current());
    assertThat(loads).isEqualTo(1);
  }

  @Test
  void itIsReadAgainAfterAChange() {
    keeper.current();
    keeper.changed();

    assertThat(keeper.current().version()).isEqualTo(2);
  }

  @Test
  void itIsReadAgainNowAndThen() {
    keeper.current();
    now += MAXIMUM_AGE - 1;
    assertThat(keeper.current().version()).isEqualTo(1);
    now++;
    assertThat(keeper.current().version()).isEqualTo(2);
  }

  @Test
  void errorsThatTellOfAnotherSchemaHaveItReadAgain() {
    keeper.current();
    now += PAUSE;

    assertThat(keeper.failed(new SQLException("no such table", "42P01"))).isTrue();
    assertThat(keeper.current().version()).isEqualTo(2);
    assertThat(keeper.failed(new SQLException("duplicate", "23505"))).isFalse();
    assertThat(keeper.failed(new SQLException("without a state"))).isFalse();
    assertThat(keeper.current().version()).isEqualTo(2);
  }

  @Test
  void aStatementThatAlwaysFailsDoesNotHaveItReadEachTime() {
    keeper.current();

    assertThat(keeper.failed(new SQLException("no such table", "42P01"))).isTrue();
    assertThat(keeper.current().version()).isEqualTo(1);
  }

  @Test
  void whileItCannotBeReadNothingIsProved() {
    keeper.current();
    keeper.changed();
    isDown = true;

    assertThat(keeper.current().version()).isZero();
    isDown = false;
    assertThat(keeper.current().version()).isZero();
    now += PAUSE;
    assertThat(keeper.current().version()).isEqualTo(2);
  }

  @Test
  void whatIsOnlyOldGoesOnToServeWhileItCannotBeRead() {
    keeper.current();
    now += MAXIMUM_AGE;
    isDown = true;

    assertThat(keeper.current().version()).isEqualTo(1);
    isDown = false;
    assertThat(keeper.current().version()).as("not tried again at once").isEqualTo(1);
    now += PAUSE;
    assertThat(keeper.current().version()).isEqualTo(2);
  }

  @Test
  void nobodyWaitsForTheOneWhoReadsAgainWhatIsOnlyOld() {
    keeper.current();
    now += MAXIMUM_AGE;
    List<Long> seen = new ArrayList<>();
    whileItIsRead =
        () -> CompletableFuture.runAsync(() -> seen.add(keeper.current().version())).join();

    assertThat(keeper.current().version()).isEqualTo(2);
    assertThat(seen).containsExactly(1L);
  }

  @Test
  void anErrorThatTellsOfAnotherSchemaLetsWhatIsHeldServeUntilItIsReadAgain() {
    keeper.current();
    now += PAUSE;
    keeper.failed(new SQLException("no such column", "42703"));
    isDown = true;
    assertThat(keeper.current().version()).isEqualTo(1);
    isDown = false;
    now += PAUSE;
    assertThat(keeper.current().version()).isEqualTo(2);
  }

  @Test
  void anErrorIsNotForgottenWhenWhatServersBringAlongIsAdded() throws SQLException {
    below = BuiltIns.unread("18");
    SqlCatalogue made = keeper.current();
    now += PAUSE;
    keeper.failed(new SQLException("no such column", "42703"));
    keeper.completed(made);

    assertThat(keeper.current().version()).isEqualTo(2);
  }

  @Test
  void whoeverWaitsTakesWhatWasReadAfterTheChangeTheyKnowOf() throws Exception {
    keeper.current();
    keeper.changed();
    List<Thread> waiting = new CopyOnWriteArrayList<>();
    List<Long> seen = new CopyOnWriteArrayList<>();
    whileItIsRead =
        () -> {
          for (int i = 0; i < 10; i++) {
            Thread thread = new Thread(() -> seen.add(keeper.current().version()));
            waiting.add(thread);
            thread.start();
          }
          await()
              .until(
                  () ->
                      waiting.stream()
                          .allMatch(thread -> thread.getState() == Thread.State.WAITING));
          // Another one, of which those who wait already need not know.
          keeper.changed();
        };

    assertThat(keeper.current().version()).isEqualTo(2);
    for (Thread thread : waiting) {
      thread.join();
    }
    assertThat(seen).hasSize(10).containsOnly(2L);
    assertThat(keeper.current().version()).isEqualTo(3);
  }

  @Test
  void aChangeWhileItIsReadHasItReadOnceMore() {
    whileItIsRead = keeper::changed;

    assertThat(keeper.current().version()).isEqualTo(1);
    assertThat(keeper.current().version()).isEqualTo(2);
    assertThat(keeper.current().version()).isEqualTo(2);
  }

  @Test
  void withoutOneOfTheShardsItIsReadAgainSooner() {
    isOfAll = false;
    keeper.current();
    isOfAll = true;
    now += 10 * PAUSE - 1;
    assertThat(keeper.current().version()).isEqualTo(1);
    now++;
    assertThat(keeper.current().version()).isEqualTo(2);
    now += MAXIMUM_AGE - 1;
    assertThat(keeper.current().version()).isEqualTo(2);
  }

  @Test
  void anInterruptedCallerTellsNothingOfTheServers() {
    isDown = true;
    Thread.currentThread().interrupt();
    assertThat(keeper.current().version()).isZero();
    assertThat(Thread.interrupted()).isTrue();
    isDown = false;

    assertThat(keeper.current().version()).isEqualTo(1);
  }

  @Test
  void nothingIsProvedWhileTheShardsDiffer() {
    second = catalogue(1, Set.of("=", "<>"));
    assertThat(keeper.current().alarms()).containsExactly("the shards' schemas differ");

    second = catalogue(1, Set.of("="));
    keeper.changed();
    assertThat(keeper.current().alarms()).isEmpty();
  }

  @Test
  void whatTheServerBringsAlongIsReadOnceWhenItIsAskedFor() throws SQLException {
    below = BuiltIns.unread("18");
    SqlCatalogue made = keeper.current();
    assertThat(loadsOfBuiltIns).isZero();
    assertThat(made.relation(List.of("users"))).isNull();
    assertThatThrownBy(() -> made.functions(List.of("lower")))
        .isInstanceOf(BuiltIns.UnreadException.class);
    assertThatThrownBy(() -> made.relation(List.of("pg_class")))
        .isInstanceOf(BuiltIns.UnreadException.class);
    assertThatThrownBy(() -> made.isQuietOperator("+"))
        .isInstanceOf(BuiltIns.UnreadException.class);
    assertThatThrownBy(() -> made.isVolatileField("nextval"))
        .isInstanceOf(BuiltIns.UnreadException.class);

    SqlCatalogue whole = keeper.completed(made);

    assertThat(whole.functions(List.of("lower"))).hasSize(1);
    assertThat(whole.isQuietOperator("+")).isTrue();
    assertThat(whole.version()).isEqualTo(made.version());
    assertThat(keeper.current()).isSameAs(whole).isSameAs(keeper.completed(made));
    assertThat(loadsOfBuiltIns).isEqualTo(1);
    now += MAXIMUM_AGE;
    assertThat(keeper.current().version()).isEqualTo(2);
  }

  @Test
  void whileWhatTheServerBringsAlongCannotBeReadOnlyWhatNeedsItFails() throws SQLException {
    below = BuiltIns.unread("18");
    SqlCatalogue made = keeper.current();
    isDown = true;

    SQLException failure = catchThrowableOfType(SQLException.class, () -> keeper.completed(made));
    now += PAUSE;
    keeper.failed(failure);

    assertThat(failure.getMessage()).contains("cannot be read now: down. Nothing was sent");
    assertThat(failure.getSQLState()).isEqualTo("08001");
    assertThat(keeper.current()).as("serves what it is enough for").isSameAs(made);
    isDown = false;
    assertThat(keeper.completed(made).functions(List.of("lower"))).hasSize(1);
  }

  @Test
  void whatCouldNotBeReadIsNotTriedAgainAtOnce() throws SQLException {
    below = BuiltIns.unread("18");
    SqlCatalogue made = keeper.current();
    isDown = true;
    assertThatThrownBy(() -> keeper.completed(made)).isInstanceOf(SQLException.class);
    isDown = false;

    assertThatThrownBy(() -> keeper.completed(made)).hasMessageContaining("down");
    assertThat(loadsOfBuiltIns).isZero();
    now += PAUSE;
    assertThat(keeper.completed(made).builtIns().areRead()).isTrue();
  }

  @Test
  void anUpgradeMeanwhileHasAllReadAgain() throws SQLException {
    below = BuiltIns.unread("17");
    SqlCatalogue made = keeper.current();

    assertThatThrownBy(() -> keeper.completed(made)).hasMessageContaining("upgraded");
    below = BuiltIns.unread("18");
    assertThat(keeper.current().version()).isEqualTo(2);
    now += PAUSE;
    assertThat(keeper.completed(keeper.current()).functions(List.of("lower"))).hasSize(1);
  }

  @Test
  void tablesThatEachServerNumbersForItselfAreNoDifference() {
    below = BuiltIns.of("17", List.of(numbered("pg_toast_13401")), List.of(), Set.of());
    SqlCatalogue one = catalogue(1, Set.of());
    below = BuiltIns.of("18", List.of(numbered("pg_toast_13417")), List.of(), Set.of());

    assertThat(one.isLike(catalogue(2, Set.of()))).isTrue();
  }

  private static SqlCatalogue.RelationRow numbered(String name) {
    return new SqlCatalogue.RelationRow(
        "pg_toast", name, SqlCatalogue.RelationKind.STORED, List.of(), List.of());
  }

  @Test
  void serversThatBringAlongOtherThingsDiffer() {
    SqlCatalogue one = catalogue(1, Set.of());
    below = BuiltIns.of("17", List.of(), List.of(), Set.of("<<>>"));
    assertThat(one.isLike(catalogue(2, Set.of()))).isFalse();
    below = BuiltIns.of("17", List.of(), List.of(), Set.of());
    assertThat(one.isLike(catalogue(2, Set.of()))).isTrue();
    below = BuiltIns.unread("17");
    assertThat(one.isLike(catalogue(2, Set.of()))).isFalse();
  }
}
