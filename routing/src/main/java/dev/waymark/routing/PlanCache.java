package dev.waymark.routing;

import java.util.concurrent.ConcurrentHashMap;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Plans by the text of the statement, so many of them and no more. Safe to share; a hit takes no
 * lock and writes nothing.
 *
 * <p>There are two generations. What is asked for stays in, or comes back to, the young one; when
 * that is full it becomes the old one, and what nobody has asked for since is forgotten with the
 * old one before. That keeps what is in use, as a least-recently-used cache would, without a queue
 * that every hit has to write to. Caffeine would do it better still for a working set that barely
 * fits; a service's statements are few, and it is no dependency of this module.
 */
final class PlanCache<P> {
  private final int maximumPlans;
  private final long maximumCharacters;
  private final ToLongFunction<P> versionOf;
  private volatile Generation<P> young = new Generation<>();
  private volatile Generation<P> old = new Generation<>();

  private static final class Generation<P> {
    private final ConcurrentHashMap<String, P> plans = new ConcurrentHashMap<>();
    private final java.util.concurrent.atomic.AtomicLong characters =
        new java.util.concurrent.atomic.AtomicLong();
  }

  /**
   * An empty cache.
   *
   * @param maximumPlans how many plans both generations hold together, at least 2
   * @param maximumCharacters how long the texts of both generations are together at most; a text
   *     longer than half of that is not kept
   * @param versionOf the version of the catalogue that a plan was made by
   */
  PlanCache(int maximumPlans, long maximumCharacters, ToLongFunction<P> versionOf) {
    if (maximumPlans < 2) {
      throw new IllegalArgumentException(
          "A plan cache holds at least 2 plans, not " + maximumPlans);
    }
    if (maximumCharacters < 2) {
      throw new IllegalArgumentException(
          "A plan cache holds at least 2 characters, not " + maximumCharacters);
    }
    this.maximumPlans = maximumPlans;
    this.maximumCharacters = maximumCharacters;
    this.versionOf = versionOf;
  }

  /** Makes the plan of a text. */
  interface Maker<P, X extends Exception> {
    P make(String sql) throws X;
  }

  /** The plan of a text if it is there and in use; null does not mean that it is not kept. */
  @Nullable P find(String sql, long catalogueVersion) {
    P plan = young.plans.get(sql);
    return plan != null && versionOf.applyAsLong(plan) == catalogueVersion ? plan : null;
  }

  /**
   * The plan of a text, made now if there is none or it was made by another catalogue. Two threads
   * that miss at once both make it, and either one stays.
   */
  <X extends Exception> P get(String sql, long catalogueVersion, Maker<P, X> maker) throws X {
    P plan = young.plans.get(sql);
    if (plan != null && versionOf.applyAsLong(plan) == catalogueVersion) {
      return plan;
    }
    plan = old.plans.get(sql);
    if (plan == null || versionOf.applyAsLong(plan) != catalogueVersion) {
      plan = maker.make(sql);
    }
    keep(sql, plan);
    return plan;
  }

  /** How many plans are kept now. */
  int size() {
    return young.plans.size() + old.plans.size();
  }

  /** Puts a plan in the place of the one that is kept, if any. */
  void keep(String sql, P plan) {
    if (sql.length() > maximumCharacters / 2) {
      return;
    }
    synchronized (this) {
      Generation<P> target = young;
      boolean isNew = !target.plans.containsKey(sql);
      if (isNew
          && (target.plans.size() >= maximumPlans / 2
              || target.characters.get() + sql.length() > maximumCharacters / 2)) {
        old = target;
        target = new Generation<>();
        young = target;
      }
      target.plans.put(sql, plan);
      if (isNew) {
        target.characters.addAndGet(sql.length());
      }
    }
  }
}
