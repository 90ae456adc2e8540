package dev.waymark.history;

import dev.waymark.history.Operation.Kind;
import dev.waymark.history.Operation.Result;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongUnaryOperator;

/**
 * Holds a history against the guarantees. Each key is a register whose version grows by one with
 * each write, so a version tells its place in the order of commits. Pure.
 */
final class Checker {
  /** What can be broken. */
  enum Rule {
    /** A session's read missed a write that the session had been told of. */
    READ_YOUR_WRITES,
    /** A session's read of a key was older than an earlier one. */
    MONOTONIC_READS,
    /** A session had seen a later write, and missed one to another key of the same shard. */
    MONOTONIC_STATE,
    /** A strong read missed a write that was acknowledged before it began. */
    STRONG,
    /** A read was older than its bound. */
    BOUNDED_AGE,
    /**
     * As the two above, where writers commit without telling Redis: known not to be kept until the
     * debt is paid.
     */
    OWED_STATE,
    /** An answer of a cache with L1 was older than L1's bound. */
    L1_AGE,
    /** Redis, or a load, missed what was acknowledged or shown before the read began. */
    LINEARIZABLE,
    /** When all is quiet, the cache and the database differ. */
    AT_REST,
    /** What was read was never written, or by a write that was reported as not done. */
    GHOST,
    /** A read failed although a node could serve it. */
    NO_CLIFF,
    /** A call outlived its deadline. */
    DEADLINE,
    /** A refusal to write on a replica reached the caller. */
    READ_ONLY_REFUSAL,
    /** An acknowledged write is not there at the end. */
    LOST_WRITE,
    /** A write was applied twice, or though it was reported as not done. */
    WRONGLY_APPLIED,
    /** A row lies on a shard that does not own its key. */
    PLACE
  }

  /** One breach, with what makes it one. */
  record Violation(Rule rule, String story) {}

  /**
   * What is held against the history.
   *
   * @param bound the age that bounded reads asked for, and that answers of a process' own cache
   *     keep to
   * @param deadline what a call may take, allowance included
   * @param shardOf the shard of a key
   */
  record Terms(Duration bound, Duration deadline, LongUnaryOperator shardOf) {}

  /** Everything found: all are counted, one of each rule is told. */
  static final class Findings {
    private final Map<Rule, Integer> counts = new EnumMap<>(Rule.class);
    private final Map<Rule, String> stories = new EnumMap<>(Rule.class);

    void add(Rule rule, String story) {
      counts.merge(rule, 1, Integer::sum);
      stories.putIfAbsent(rule, story);
    }

    int count() {
      return counts.values().stream().mapToInt(Integer::intValue).sum();
    }

    int count(Rule rule) {
      return counts.getOrDefault(rule, 0);
    }

    List<String> report() {
      List<String> lines = new ArrayList<>();
      counts.forEach(
          (rule, count) -> lines.add(rule + ": " + count + ", for example " + stories.get(rule)));
      return lines;
    }
  }

  /** What is known of the versions of one key. */
  private static final class Register {
    /** The writes that were acknowledged. */
    private final Floor acknowledged = new Floor();

    /** These, and the reads that show that something is committed. */
    private final Floor committed = new Floor();

    void seal() {
      acknowledged.seal();
      committed.seal();
    }

    /** The greatest version acknowledged before an instant; 0 if none. */
    long versionAt(long instant) {
      return acknowledged.versionAt(instant);
    }

    /** The greatest version acknowledged, or shown as committed, before an instant; 0 if none. */
    long committedAt(long instant) {
      return committed.versionAt(instant);
    }
  }

  /** The greatest version that calls had told of by an instant. */
  private static final class Floor {
    private final List<Operation> calls = new ArrayList<>();
    private long[] ends = {};
    private long[] versions = {};

    /** Sorted by end, each with the greatest version up to it. */
    void seal() {
      calls.sort(Comparator.comparingLong(Operation::end));
      ends = calls.stream().mapToLong(Operation::end).toArray();
      versions = calls.stream().mapToLong(Operation::version).toArray();
      for (int i = 1; i < versions.length; i++) {
        versions[i] = Math.max(versions[i], versions[i - 1]);
      }
    }

    long versionAt(long instant) {
      int found = Arrays.binarySearch(ends, instant);
      int before = found >= 0 ? found : -found - 1;
      while (before > 0 && ends[before - 1] >= instant) {
        before--;
      }
      return before == 0 ? 0 : versions[before - 1];
    }
  }

  private final Terms terms;
  private final Findings findings = new Findings();
  private final Map<Long, Register> registers = new HashMap<>();
  private final Map<Long, Operation> writesById = new HashMap<>();

  private Checker(Terms terms) {
    this.terms = terms;
  }

  /** What the calls alone show. */
  static Findings check(List<Operation> history, Terms terms) {
    Checker checker = new Checker(terms);
    checker.learnWrites(history);
    history.forEach(checker::checkAlone);
    Map<Long, List<Operation>> sessions = new HashMap<>();
    for (Operation operation : history) {
      sessions.computeIfAbsent(operation.session(), number -> new ArrayList<>()).add(operation);
    }
    // Calls without a session have no order.
    sessions.remove(0L);
    sessions.values().forEach(checker::checkSession);
    return checker.findings;
  }

  private void learnWrites(List<Operation> history) {
    for (Operation operation : history) {
      if (operation.kind() == Kind.WRITE) {
        writesById.put(operation.writer(), operation);
        if (operation.result() == Result.OK) {
          register(operation.key()).acknowledged.calls.add(operation);
          register(operation.key()).committed.calls.add(operation);
        }
      } else if (operation.result() == Result.OK && operation.kind().isLinearizable()) {
        register(operation.key()).committed.calls.add(operation);
      }
    }
    registers.values().forEach(Register::seal);
  }

  private Register register(long key) {
    return registers.computeIfAbsent(key, number -> new Register());
  }

  private void checkAlone(Operation call) {
    if (call.end() != Operation.NEVER && call.end() - call.start() > terms.deadline().toNanos()) {
      findings.add(Rule.DEADLINE, call.toString());
    }
    if (call.result() == Result.READ_ONLY) {
      findings.add(Rule.READ_ONLY_REFUSAL, call.toString());
    }
    if (!call.kind().isRead()) {
      return;
    }
    if (call.result() != Result.OK) {
      findings.add(Rule.NO_CLIFF, call.toString());
      return;
    }
    if (call.version() > 0) {
      Operation source = writesById.get(call.writer());
      if (source == null
          || source.key() != call.key()
          || source.result() == Result.NOT_SENT
          || source.result() == Result.REJECTED
          || (source.result() == Result.OK && source.version() != call.version())) {
        findings.add(Rule.GHOST, call + " shows " + source);
      }
    }
    Register register = register(call.key());
    if (call.kind() == Kind.STRONG_READ) {
      long needed = register.versionAt(call.start());
      if (call.version() < needed) {
        findings.add(Rule.STRONG, call + " misses version " + needed);
      }
    }
    if (call.kind().isBounded()) {
      long needed = register.committedAt(call.start() - terms.bound().toNanos());
      if (call.version() < needed) {
        findings.add(Rule.L1_AGE, call + " misses version " + needed);
      }
    } else if (call.kind().isOfCache() && call.kind().isLinearizable()) {
      long needed = register.committedAt(call.start());
      if (call.version() < needed) {
        findings.add(Rule.LINEARIZABLE, call + " misses version " + needed);
      }
    }
    if (call.kind() == Kind.BOUNDED_READ) {
      long needed = register.versionAt(call.start() - terms.bound().toNanos());
      if (call.version() < needed) {
        findings.add(Rule.BOUNDED_AGE, call + " misses version " + needed);
      }
    }
  }

  private void checkSession(List<Operation> calls) {
    calls.sort(Comparator.comparingLong(Operation::start));
    Map<Long, Operation> written = new HashMap<>();
    Map<Long, Operation> seen = new HashMap<>();
    // For each shard, the write begun last among those whose effect the session has seen: whatever
    // was acknowledged before that one began was committed before it.
    Map<Long, Operation> latest = new HashMap<>();
    for (Operation call : calls) {
      if (call.result() != Result.OK) {
        continue;
      }
      long shard = terms.shardOf().applyAsLong(call.key());
      if (call.kind().isRead() && call.kind().isOfSession()) {
        Operation own = written.get(call.key());
        Operation earlier = seen.get(call.key());
        Operation far = latest.get(shard);
        if (own != null && call.version() < own.version()) {
          findings.add(Rule.READ_YOUR_WRITES, call + " after " + own);
        } else if (earlier != null && call.version() < earlier.version()) {
          findings.add(unlessOwed(call, Rule.MONOTONIC_READS), call + " after " + earlier);
        } else if (far != null) {
          long needed = register(call.key()).versionAt(far.start());
          if (call.version() < needed) {
            findings.add(
                unlessOwed(call, Rule.MONOTONIC_STATE),
                call + " misses version " + needed + ", committed before " + far);
          }
        }
      }
      // What an eventual or a bounded read shows binds later reads of the session as well.
      Operation source = call.kind() == Kind.WRITE ? call : writesById.get(call.writer());
      if (call.kind() == Kind.WRITE) {
        written.put(call.key(), call);
      }
      Operation before = seen.get(call.key());
      if (before == null || call.version() > before.version()) {
        seen.put(call.key(), call);
      }
      // A cached answer binds the later ones of its own key: a snapshot of several is not promised.
      if (source != null && source.result() == Result.OK && !call.kind().isOfCache()) {
        Operation far = latest.get(shard);
        if (far == null || source.start() > far.start()) {
          latest.put(shard, source);
        }
      }
    }
  }

  private static Rule unlessOwed(Operation call, Rule rule) {
    return call.kind() == Kind.OWED_READ ? Rule.OWED_STATE : rule;
  }

  /** What the cache shows when all is quiet, beside the rows. */
  static void checkRest(List<Operation> history, Map<Long, Long> versions, Findings findings) {
    for (Operation call : history) {
      if (call.kind() == Kind.REST_READ) {
        long version = versions.getOrDefault(call.key(), 0L);
        if (call.result() != Result.OK || call.version() != version) {
          findings.add(Rule.AT_REST, call + " is not version " + version);
        }
      }
    }
  }

  /** What the rows at the end show. */
  static void checkRows(
      List<Operation> history,
      Map<Long, Long> versions,
      Map<Long, Integer> timesApplied,
      Findings findings) {
    for (Operation write : history) {
      if (write.kind() != Kind.WRITE) {
        continue;
      }
      int times = timesApplied.getOrDefault(write.writer(), 0);
      switch (write.result()) {
        case OK -> {
          if (times == 0 || versions.getOrDefault(write.key(), 0L) < write.version()) {
            findings.add(Rule.LOST_WRITE, write.toString());
          }
        }
        case UNKNOWN -> {
          // May have been applied, or not.
        }
        default -> {
          if (times > 0) {
            findings.add(Rule.WRONGLY_APPLIED, write + " was applied");
          }
        }
      }
      if (times > 1) {
        findings.add(Rule.WRONGLY_APPLIED, write + " was applied " + times + " times");
      }
    }
  }
}
