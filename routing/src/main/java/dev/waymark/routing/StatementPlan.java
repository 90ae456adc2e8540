package dev.waymark.routing;

import dev.waymark.routing.Verdict.Effect;
import org.jspecify.annotations.Nullable;

/**
 * What JDBC keeps for a statement's text: its plan, and what follows from it for a connection. An
 * immutable value, safe to share.
 *
 * @param sql the text that is sent: the application's own, but for a row that is dealt a key
 * @param keyParameter the number of the parameter that is the one and only key; 0 if it is not as
 *     simple as that
 * @param dealtParameter the number in {@code sql} of the parameter that takes the dealt key; 0 if
 *     there is none
 * @param dealtAt where the question mark of that one stands
 * @param session what it is if it is about the session
 * @param way how it may run
 * @param inserts whether it may insert a row, whose key must not be NULL
 * @param leavesState whether it may leave something behind in the session
 * @param mayChangeSchema whether the catalogue has to be read again once it has run
 */
record StatementPlan(
    String sql,
    Plan plan,
    int keyParameter,
    int dealtParameter,
    int dealtAt,
    SessionStatement session,
    Way way,
    boolean inserts,
    boolean leavesState,
    boolean mayChangeSchema) {
  /** How a statement may run. */
  enum Way {
    /** On a replica that is fresh enough. */
    READS,
    /** On the primary, and only reads. */
    READS_PRIMARY,
    /** On the primary, and may write. */
    WRITES
  }

  /** What follows from a plan. */
  static StatementPlan of(
      String sql,
      Plan plan,
      SessionStatement session,
      @Nullable DealtKey dealt,
      boolean inserts,
      boolean leavesState,
      boolean mayChangeSchema) {
    int keyParameter = 0;
    if (plan.hints().key() == null
        && plan.refusal() == null
        && session == SessionStatement.NONE
        && plan.keys() instanceof KeySource.Keys keys
        && keys.spans().isEmpty()
        && keys.terms().size() == 1
        && keys.terms().get(0) instanceof KeyTerm.InParameter only) {
      keyParameter = only.number();
    }
    return new StatementPlan(
        dealt == null ? sql : dealt.sql(),
        plan,
        keyParameter,
        dealt == null ? 0 : dealt.parameter(),
        dealt == null ? 0 : dealt.at(),
        session,
        session == SessionStatement.SHOWS ? Way.READS : wayOf(plan),
        inserts,
        leavesState,
        mayChangeSchema);
  }

  private static Way wayOf(Plan plan) {
    if (plan.mayRunOnReplica()) {
      return Way.READS;
    }
    return plan.verdict().effect() == Effect.READS ? Way.READS_PRIMARY : Way.WRITES;
  }

  /** The same, after a server has refused to run it as a read. */
  StatementPlan thatWrites() {
    return new StatementPlan(
        sql,
        plan,
        keyParameter,
        dealtParameter,
        dealtAt,
        session,
        Way.WRITES,
        inserts,
        leavesState,
        mayChangeSchema);
  }

  boolean reads() {
    return way != Way.WRITES;
  }

  /** Whether it was taken for a read until a server refused to run it as one. */
  boolean turnedOutToWrite() {
    return way == Way.WRITES && plan.verdict().effect() == Effect.READS;
  }

  long catalogueVersion() {
    return plan.catalogueVersion();
  }
}
