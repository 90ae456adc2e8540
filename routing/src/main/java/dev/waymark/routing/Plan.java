package dev.waymark.routing;

import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What is known of a statement's text before any parameter is. An immutable value, safe to share.
 *
 * @param verdict whether it only reads, and why
 * @param keys where its keys come from
 * @param merged how the answers of several shards make one; null if it may run on one shard only
 * @param refusal why it is refused unless the application names a shard; null if it is not
 * @param spread why it is refused if its keys turn out to lie on several shards; null if it is not
 * @param delegated how an engine may answer it where it would be refused for having keys of several
 *     shards; null if none may
 * @param tables each table of the shard map that it names, and what that is
 * @param hints what the application says of it
 * @param catalogueVersion of the catalogue that the verdict was made by
 */
record Plan(
    Verdict verdict,
    KeySource keys,
    @Nullable Merged merged,
    @Nullable Refusal refusal,
    @Nullable Refusal spread,
    @Nullable Delegated delegated,
    Map<String, String> tables,
    Hints hints,
    long catalogueVersion) {
  /** Checks that the parts fit. */
  Plan {
    Objects.requireNonNull(verdict, "verdict");
    Objects.requireNonNull(keys, "keys");
    Objects.requireNonNull(hints, "hints");
    tables = Map.copyOf(tables);
    if (merged != null && (refusal != null || spread != null)) {
      throw new IllegalArgumentException("A statement that is refused is not merged");
    } else if (delegated != null && refusal == null && spread == null) {
      throw new IllegalArgumentException("What is not refused is not left to others");
    }
  }

  /** Whether a replica may answer it, as far as text, catalogue and hints tell. */
  boolean mayRunOnReplica() {
    return switch (hints.node()) {
      case PRIMARY -> false;
      case REPLICA -> verdict.effect() != Verdict.Effect.WRITES;
      case UNSAID -> verdict.mayRunOnReplica();
    };
  }

  /** In words, for {@code explain}. */
  String describe() {
    return verdict.effect()
        + " ("
        + verdict.why()
        + "), keys "
        + keys
        + (refusal == null ? "" : ", refused: " + refusal.message())
        + (merged == null ? "" : ", merged: " + merged)
        + (delegated == null ? "" : ", unless ShardingSphere is there to answer it");
  }
}
