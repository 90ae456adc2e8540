package dev.waymark.cache.model;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/**
 * The caches of processes above a shared tier that is right: entries, messages with numbers that
 * may be lost, leases on the channel, and one session that wanders between the processes.
 *
 * <p>Time is not counted. Instead each lease remembers what had been acknowledged at the moment it
 * is counted from: nothing older may be served under it. Its length is then the bound.
 */
final class LocalModel implements Search.Model {
  /** What must not happen. */
  enum Promise {
    /** Nothing is served that is older than what was acknowledged when the lease began to count. */
    BOUNDED,
    /** When all messages arrived or were lost and nothing is under way, no entry is stale. */
    NOTHING_STALE_AT_REST,
    /** A session's read misses nothing that the session wrote or saw. */
    SESSION
  }

  /**
   * @param writers for each writer the keys that it changes, as a set of bits
   * @param buckets for each key its bucket
   */
  record Setup(
      int processes,
      int[] writers,
      int[] buckets,
      int flushes,
      Set<LocalRule> rules,
      Set<LocalEvent> events) {
    static Setup of(int processes, int... writers) {
      return new Setup(
          processes,
          writers,
          new int[1],
          0,
          EnumSet.noneOf(LocalRule.class),
          EnumSet.noneOf(LocalEvent.class));
    }

    Setup keysIn(int... bucketOfKey) {
      return new Setup(processes, writers, bucketOfKey, flushes, rules, events);
    }

    Setup flushing(int times) {
      return new Setup(processes, writers, buckets, times, rules, events);
    }

    Setup with(LocalRule... more) {
      Set<LocalRule> all = EnumSet.noneOf(LocalRule.class);
      all.addAll(rules);
      all.addAll(Arrays.asList(more));
      return new Setup(processes, writers, buckets, flushes, all, events);
    }

    Setup without(LocalRule... fewer) {
      Set<LocalRule> all = EnumSet.noneOf(LocalRule.class);
      all.addAll(rules);
      all.removeAll(Arrays.asList(fewer));
      return new Setup(processes, writers, buckets, flushes, all, events);
    }

    Setup when(LocalEvent... more) {
      Set<LocalEvent> all = EnumSet.noneOf(LocalEvent.class);
      all.addAll(events);
      all.addAll(Arrays.asList(more));
      return new Setup(processes, writers, buckets, flushes, rules, all);
    }
  }

  /** What may happen beside reads and writes. */
  enum LocalEvent {
    /** A message may be lost on its way to a process. */
    LOST_MESSAGE,
    /** A transaction may be rolled back after it was announced. */
    ROLLBACK,
    /** The stream in Redis may have been trimmed before a process fetches what it missed. */
    TRIMMED,
    /** One session reads, writes with the first writer, and moves. */
    SESSION,
    /** The session may join a load that another one began. */
    JOIN
  }

  // What a writer is doing.
  private static final int IDLE = 0;
  private static final int ANNOUNCED = 1;
  private static final int VISIBLE = 2;
  private static final int ENDED = 3;

  // What a load, of which a process has one at a time, is doing.
  private static final int LEASED = 1;
  private static final int READ = 2;
  private static final int BYPASS = 3;
  private static final int BYPASS_READ = 4;

  // What a question for the channel's state is doing.
  private static final int ASKED = 1;
  private static final int ANSWERED = 2;

  private static final int NONE = -1;
  private static final int MAX_SEQ = 4;

  private final Setup setup;
  private final Set<Promise> promises;
  private final int processes;
  private final int writers;
  private final int keys;
  private final int buckets;

  private int length;
  private final int broken;
  private final int flushes;
  private final int[] writerDoing;
  private final int visible;
  private final int acknowledged;
  private final int announced;
  private final int finished;
  private final int epoch;
  private final int[] seq;
  private final int[][] messages;
  private final int[] value;
  private final int[] lease;
  private final int sessionSaw;
  private final int[] sessionSeq;
  private final int sessionEpoch;
  private final int[] ownSeq;
  private final int ownEpoch;
  private final Process[] process;

  /** Where the variables of one process are. */
  private final class Process {
    final int[] delivered = row(buckets);
    final int[] heard = row(buckets);
    final int[] epoch = row(buckets);
    final int[] leaseFloor = row(buckets);
    final int[] leaseKnew = row(buckets);
    final int[] question = row(buckets);
    final int[] questionFloor = row(buckets);
    final int[] questionKnew = row(buckets);
    final int[] questionHeard = row(buckets);
    final int[] questionEpoch = row(buckets);
    final int[] answerMissed = row(buckets);
    final int[] answerSeq = row(buckets);
    final int[] answerEpoch = row(buckets);
    final int[] lastHeard = row(keys);
    final int[] entry = row(keys);
    final int[] entryStamp = row(keys);
    final int[] entryEpoch = row(keys);
    final int knows = one();
    final int load = one();
    final int loadKey = one();
    final int loadForSession = one();
    final int loadNeeds = one();
    final int loadKnew = one();
    final int loadStamp = one();
    final int loadSeq = one();
    final int loadEpoch = one();
    final int loadDoubt = one();
    final int loadSaw = one();
    final int loadFinished = one();
    final int put = one();
    final int putKey = one();
    final int putStamp = one();
    final int putEpoch = one();
  }

  LocalModel(Setup setup, Promise... promises) {
    this.setup = setup;
    this.promises = EnumSet.copyOf(Arrays.asList(promises));
    processes = setup.processes;
    writers = setup.writers.length;
    keys = setup.buckets.length;
    buckets = Arrays.stream(setup.buckets).max().orElseThrow() + 1;
    broken = one();
    flushes = one();
    writerDoing = row(writers);
    visible = one();
    acknowledged = one();
    announced = one();
    finished = one();
    epoch = one();
    seq = row(buckets);
    messages = new int[buckets][];
    for (int bucket = 0; bucket < buckets; bucket++) {
      messages[bucket] = row(MAX_SEQ);
    }
    value = row(keys);
    lease = row(keys);
    sessionSaw = one();
    sessionSeq = row(buckets);
    sessionEpoch = one();
    ownSeq = row(buckets);
    ownEpoch = one();
    process = new Process[processes];
    for (int i = 0; i < processes; i++) {
      process[i] = new Process();
    }
  }

  private int one() {
    return length++;
  }

  private int[] row(int size) {
    int[] row = new int[size];
    for (int i = 0; i < size; i++) {
      row[i] = one();
    }
    return row;
  }

  private boolean on(LocalRule rule) {
    return setup.rules.contains(rule);
  }

  private boolean happens(LocalEvent event) {
    return setup.events.contains(event);
  }

  private static void set(byte[] state, int at, int content) {
    state[at] = (byte) content;
  }

  /** The writers that change a key. */
  private int writersOf(int key) {
    int mask = 0;
    for (int writer = 0; writer < writers; writer++) {
      if ((setup.writers[writer] & 1 << key) != 0) {
        mask |= 1 << writer;
      }
    }
    return mask;
  }

  @Override
  public byte[] initial() {
    byte[] state = new byte[length];
    for (int key = 0; key < keys; key++) {
      set(state, value[key], NONE);
      for (Process each : process) {
        set(state, each.entry[key], NONE);
      }
    }
    for (Process each : process) {
      set(state, each.put, NONE);
    }
    return state;
  }

  @Override
  public Optional<String> broken(byte[] state) {
    if (promises.contains(Promise.SESSION) && state[broken] != 0) {
      return Optional.of("a session's read missed what the session had seen or written");
    }
    for (int i = 0; i < processes; i++) {
      for (int key = 0; key < keys; key++) {
        if (isServed(state, process[i], key)) {
          int shown = state[process[i].entry[key]];
          int due = state[process[i].leaseFloor[setup.buckets[key]]] & writersOf(key);
          if (promises.contains(Promise.BOUNDED) && (due & ~shown) != 0) {
            return Optional.of("P" + i + " serves key " + key + " older than its lease allows");
          }
          if (promises.contains(Promise.NOTHING_STALE_AT_REST)
              && shown != (state[visible] & writersOf(key))
              && isAtRest(state)) {
            return Optional.of("nothing is under way, and P" + i + " keeps key " + key + " stale");
          }
        }
      }
    }
    return Optional.empty();
  }

  private boolean isAtRest(byte[] state) {
    for (int writer = 0; writer < writers; writer++) {
      if (state[writerDoing[writer]] != IDLE && state[writerDoing[writer]] != ENDED) {
        return false;
      }
    }
    for (Process each : process) {
      if (state[each.load] != 0 || state[each.put] != NONE) {
        return false;
      }
      for (int bucket = 0; bucket < buckets; bucket++) {
        if (state[each.delivered[bucket]] != state[seq[bucket]]) {
          return false;
        }
      }
    }
    return true;
  }

  private boolean isServed(byte[] state, Process each, int key) {
    int bucket = setup.buckets[key];
    return state[each.entry[key]] != NONE
        && (!on(LocalRule.STAMP) || isStampGood(state, each, key))
        && (!on(LocalRule.EPOCH) || state[each.entryEpoch[key]] == state[each.epoch[bucket]]);
  }

  private boolean isStampGood(byte[] state, Process each, int key) {
    int stamp = state[each.entryStamp[key]];
    return on(LocalRule.OWN_COUNT)
        ? stamp == state[each.lastHeard[key]]
        : stamp >= state[each.lastHeard[key]];
  }

  private boolean isServedToSession(byte[] state, Process each, int key) {
    int bucket = setup.buckets[key];
    if (!isServed(state, each, key)) {
      return false;
    }
    if (on(LocalRule.SESSION_TOKEN)
        && (state[each.heard[bucket]] < state[sessionSeq[bucket]]
            || state[each.epoch[bucket]] != state[sessionEpoch])) {
      return false;
    }
    return !on(LocalRule.RENEWED_AFTER_POSITION)
        || (state[sessionSaw] & ~state[each.leaseKnew[bucket]]) == 0;
  }

  // ---- steps

  @Override
  public void steps(byte[] state, Search.Steps steps) {
    if (state[broken] != 0) {
      return;
    }
    for (int writer = 0; writer < writers; writer++) {
      writerSteps(state, writer, steps);
    }
    for (int i = 0; i < processes; i++) {
      for (int key = 0; key < keys; key++) {
        readSteps(state, i, key, steps);
      }
      loadSteps(state, i, steps);
      for (int bucket = 0; bucket < buckets; bucket++) {
        channelSteps(state, i, bucket, steps);
      }
    }
    if (state[flushes] < setup.flushes) {
      steps.add("Redis loses everything", 0, 0, flush(state));
    }
  }

  private void writerSteps(byte[] state, int writer, Search.Steps steps) {
    switch (state[writerDoing[writer]]) {
      case IDLE -> {
        byte[] next = state.clone();
        boolean room = true;
        for (int key = 0; key < keys; key++) {
          if ((setup.writers[writer] & 1 << key) != 0) {
            int bucket = setup.buckets[key];
            room &= next[seq[bucket]] < MAX_SEQ;
            if (room) {
              set(next, messages[bucket][next[seq[bucket]]++], key);
              set(next, value[key], NONE);
              set(next, lease[key], 0);
              if (isOfSession(writer)) {
                set(next, ownSeq[bucket], next[seq[bucket]]);
                set(next, ownEpoch, state[epoch]);
              }
            }
          }
        }
        next[announced] |= (byte) (1 << writer);
        set(next, writerDoing[writer], ANNOUNCED);
        if (room) {
          steps.add("W%d is announced", writer, 0, next);
        }
      }
      case ANNOUNCED -> {
        byte[] next = state.clone();
        next[visible] |= (byte) (1 << writer);
        next[finished] |= (byte) (1 << writer);
        set(next, writerDoing[writer], VISIBLE);
        steps.add("W%d's change can be seen", writer, 0, next);
        if (happens(LocalEvent.ROLLBACK)) {
          byte[] undone = state.clone();
          undone[finished] |= (byte) (1 << writer);
          set(undone, writerDoing[writer], ENDED);
          steps.add("W%d is rolled back", writer, 0, undone);
        }
      }
      case VISIBLE -> {
        byte[] next = state.clone();
        next[acknowledged] |= (byte) (1 << writer);
        set(next, writerDoing[writer], ENDED);
        if (isOfSession(writer)) {
          next[sessionSaw] |= (byte) (1 << writer);
          for (int bucket = 0; bucket < buckets; bucket++) {
            if (state[ownSeq[bucket]] > 0) {
              advance(next, bucket, state[ownSeq[bucket]], state[ownEpoch]);
            }
          }
        }
        steps.add("W%d is told that its COMMIT is done", writer, 0, next);
      }
      default -> {}
    }
  }

  private boolean isOfSession(int writer) {
    return happens(LocalEvent.SESSION) && writer == 0;
  }

  /**
   * The newer epoch wins: what is served under it has passed its barrier, and so shows everything
   * that was announced under an older one.
   */
  private void advance(byte[] state, int bucket, int toSeq, int ofEpoch) {
    if (ofEpoch < state[sessionEpoch]) {
      return;
    }
    if (ofEpoch > state[sessionEpoch]) {
      for (int each : sessionSeq) {
        set(state, each, 0);
      }
      set(state, sessionEpoch, ofEpoch);
    }
    set(state, sessionSeq[bucket], Math.max(state[sessionSeq[bucket]], toSeq));
  }

  private void readSteps(byte[] state, int i, int key, Search.Steps steps) {
    Process each = process[i];
    int bucket = setup.buckets[key];
    if (happens(LocalEvent.SESSION)) {
      if (isServedToSession(state, each, key)) {
        byte[] next = state.clone();
        sessionReturns(next, key, state[sessionSaw], state[each.entry[key]]);
        advance(next, bucket, state[each.entryStamp[key]], state[each.entryEpoch[key]]);
        steps.add("the session reads key %d in L1 of P%d", key, i, next);
        return;
      }
      if ((state[sessionSaw] & ~state[each.knows]) != 0) {
        byte[] next = state.clone();
        next[each.knows] |= state[sessionSaw];
        steps.add("P%d hears of the session's position", i, 0, next);
      }
    }
    if (state[each.load] != 0) {
      return;
    }
    if (state[value[key]] != NONE) {
      if (state[each.put] == NONE) {
        byte[] next = state.clone();
        int stamp = on(LocalRule.OWN_COUNT) ? state[each.lastHeard[key]] : state[seq[bucket]];
        prepareToPut(next, each, key, state[value[key]], stamp);
        steps.add("P%d finds key %d in Redis", i, key, next);
      }
      if (happens(LocalEvent.SESSION)) {
        byte[] next = state.clone();
        sessionReturns(next, key, state[sessionSaw], state[value[key]]);
        advance(next, bucket, state[seq[bucket]], state[epoch]);
        steps.add("the session reads key %d in Redis by P%d", key, i, next);
      }
    } else {
      if (state[lease[key]] == 0) {
        load(state, i, key, LEASED, 0, "P%d misses key %d and has the lease", steps);
      }
      if (happens(LocalEvent.SESSION)) {
        if (state[lease[key]] == 0) {
          load(state, i, key, LEASED, 1, "P%d misses key %d for the session", steps);
        } else {
          load(state, i, key, BYPASS, 1, "P%d has to ask for key %d past the cache", steps);
        }
      }
    }
  }

  private void load(
      byte[] state, int i, int key, int doing, int forSession, String text, Search.Steps steps) {
    Process each = process[i];
    byte[] next = state.clone();
    set(next, each.load, doing);
    set(next, each.loadKey, key);
    set(next, each.loadForSession, forSession);
    set(next, each.loadNeeds, forSession != 0 ? state[sessionSaw] : 0);
    set(next, each.loadKnew, happens(LocalEvent.JOIN) ? state[each.knows] : 0);
    set(next, each.loadStamp, state[each.lastHeard[key]]);
    set(next, each.loadSeq, state[seq[setup.buckets[key]]]);
    set(next, each.loadEpoch, state[epoch]);
    if (doing == LEASED) {
      set(next, lease[key], i + 1);
      set(next, each.loadDoubt, state[announced]);
    }
    steps.add(text, i, key, next);
  }

  private void sessionReturns(byte[] state, int key, int needs, int shown) {
    if ((needs & writersOf(key) & ~shown) != 0) {
      set(state, broken, 1);
    }
    state[sessionSaw] |= (byte) shown;
  }

  private void prepareToPut(byte[] state, Process each, int key, int shown, int stamp) {
    set(state, each.put, shown);
    set(state, each.putKey, key);
    set(state, each.putStamp, stamp);
    set(state, each.putEpoch, state[epoch]);
  }

  private void loadSteps(byte[] state, int i, Search.Steps steps) {
    Process each = process[i];
    int key = state[each.loadKey];
    int bucket = setup.buckets[key];
    switch (state[each.load]) {
      case LEASED, BYPASS -> {
        byte[] next = state.clone();
        set(next, each.load, state[each.load] == LEASED ? READ : BYPASS_READ);
        int shown = state[visible] & writersOf(key);
        set(next, each.loadSaw, shown);
        set(next, each.loadFinished, state[finished]);
        if (state[each.loadForSession] != 0 && !on(LocalRule.TOKEN_AFTER_READ)) {
          sessionReturns(next, key, state[each.loadNeeds], shown);
          advance(next, bucket, state[each.loadSeq], state[each.loadEpoch]);
        }
        steps.add("P%d reads the database and sees %d", i, shown, next);
      }
      case READ, BYPASS_READ -> {
        if (happens(LocalEvent.JOIN)
            && state[each.loadForSession] == 0
            && (!on(LocalRule.JOIN_AFTER_POSITION)
                || (state[sessionSaw] & ~state[each.loadKnew]) == 0)) {
          byte[] joined = state.clone();
          sessionReturns(joined, key, state[sessionSaw], state[each.loadSaw]);
          steps.add("the session joins P%d's load of key %d", i, key, joined);
        }
        if (state[each.put] != NONE) {
          return;
        }
        byte[] next = state.clone();
        int shown = state[each.loadSaw];
        boolean accepted =
            state[each.load] == READ
                && state[lease[key]] == i + 1
                && state[each.loadEpoch] == state[epoch]
                && (state[each.loadDoubt] & ~state[each.loadFinished]) == 0;
        if (accepted) {
          set(next, value[key], shown);
          int stamp = on(LocalRule.OWN_COUNT) ? state[each.loadStamp] : state[seq[bucket]];
          prepareToPut(next, each, key, shown, stamp);
        }
        if (state[lease[key]] == i + 1) {
          set(next, lease[key], 0);
        }
        if (state[each.loadForSession] != 0 && on(LocalRule.TOKEN_AFTER_READ)) {
          sessionReturns(next, key, state[each.loadNeeds], shown);
          advance(next, bucket, state[seq[bucket]], state[epoch]);
        }
        for (int at = each.load; at <= each.loadFinished; at++) {
          set(next, at, 0);
        }
        steps.add(
            accepted ? "P%d's fill of key %d is accepted" : "P%d does not fill key %d",
            i,
            key,
            next);
      }
      default -> {}
    }
    if (state[each.put] != NONE) {
      int putKey = state[each.putKey];
      byte[] next = state.clone();
      set(next, each.entry[putKey], state[each.put]);
      set(next, each.entryStamp[putKey], state[each.putStamp]);
      set(next, each.entryEpoch[putKey], state[each.putEpoch]);
      set(next, each.put, NONE);
      set(next, each.putKey, 0);
      set(next, each.putStamp, 0);
      set(next, each.putEpoch, 0);
      steps.add("P%d puts key %d into L1", i, putKey, next);
    }
  }

  private void channelSteps(byte[] state, int i, int bucket, Search.Steps steps) {
    Process each = process[i];
    if (state[each.delivered[bucket]] < state[seq[bucket]]) {
      int number = state[each.delivered[bucket]] + 1;
      byte[] next = state.clone();
      set(next, each.delivered[bucket], number);
      if (!on(LocalRule.EPOCH) || state[each.epoch[bucket]] == state[epoch]) {
        hear(next, each, bucket, number);
      }
      steps.add("P%d hears message %d", i, number, next);
      if (happens(LocalEvent.LOST_MESSAGE)) {
        byte[] lost = state.clone();
        set(lost, each.delivered[bucket], number);
        if (on(LocalRule.CLEAR_ON_RECONNECT)) {
          for (int key = 0; key < keys; key++) {
            dropEntry(lost, each, key);
          }
          steps.add("P%d loses message %d, connects again and drops all", i, number, lost);
        } else {
          steps.add("P%d loses message %d", i, number, lost);
        }
      }
    }
    if (!on(LocalRule.CHANNEL_LEASE)) {
      return;
    }
    // That a lease ends is no step: a renewed one is the same whether or not it had ended before.
    switch (state[each.question[bucket]]) {
      case IDLE -> {
        byte[] next = state.clone();
        set(next, each.question[bucket], ASKED);
        set(next, each.questionFloor[bucket], state[acknowledged]);
        set(next, each.questionKnew[bucket], state[each.knows]);
        set(next, each.questionHeard[bucket], state[each.heard[bucket]]);
        set(next, each.questionEpoch[bucket], state[each.epoch[bucket]]);
        steps.add("P%d asks how far bucket %d is", i, bucket, next);
      }
      case ASKED -> {
        byte[] next = state.clone();
        set(next, each.question[bucket], ANSWERED);
        set(next, each.answerSeq[bucket], state[seq[bucket]]);
        set(next, each.answerEpoch[bucket], state[epoch]);
        set(next, each.answerMissed[bucket], missed(state, each, bucket));
        steps.add("Redis answers P%d: at %d", i, state[seq[bucket]], next);
      }
      case ANSWERED -> {
        byte[] next = state.clone();
        takeAnswer(next, each, bucket);
        steps.add("the answer renews P%d's lease on bucket %d", i, bucket, next);
      }
      default -> {}
    }
  }

  /** The keys of what came after the question's place; all of them if nobody can tell. */
  private int missed(byte[] state, Process each, int bucket) {
    int from = state[each.questionHeard[bucket]];
    int to = state[seq[bucket]];
    boolean unknown =
        (happens(LocalEvent.TRIMMED) && from < to)
            || (on(LocalRule.EPOCH) && state[each.questionEpoch[bucket]] != state[epoch]);
    int mask = 0;
    for (int key = 0; unknown && key < keys; key++) {
      mask |= setup.buckets[key] == bucket ? 1 << key : 0;
    }
    for (int number = from + 1; number <= to; number++) {
      mask |= 1 << state[messages[bucket][number - 1]];
    }
    return mask;
  }

  private void takeAnswer(byte[] state, Process each, int bucket) {
    int answered = state[each.answerSeq[bucket]];
    boolean same =
        !on(LocalRule.EPOCH) || state[each.answerEpoch[bucket]] == state[each.epoch[bucket]];
    if (!same) {
      // Another state of Redis: what is here is dead, and hearing starts at the answer's number.
      set(state, each.epoch[bucket], state[each.answerEpoch[bucket]]);
      set(state, each.heard[bucket], answered);
      for (int key = 0; key < keys; key++) {
        if (setup.buckets[key] == bucket) {
          dropEntry(state, each, key);
          heardOf(state, each, key, answered);
        }
      }
    } else if (on(LocalRule.ANSWER_BRINGS_MISSED) && answered > state[each.heard[bucket]]) {
      for (int key = 0; key < keys; key++) {
        if ((state[each.answerMissed[bucket]] & 1 << key) != 0) {
          heardOf(state, each, key, answered);
        }
      }
      set(state, each.heard[bucket], answered);
    }
    boolean fromQuestion = on(LocalRule.LEASE_FROM_QUESTION);
    set(
        state,
        each.leaseFloor[bucket],
        fromQuestion ? state[each.questionFloor[bucket]] : state[acknowledged]);
    set(state, each.leaseKnew[bucket], state[each.questionKnew[bucket]]);
    set(state, each.question[bucket], IDLE);
    set(state, each.questionFloor[bucket], 0);
    set(state, each.questionKnew[bucket], 0);
    set(state, each.questionHeard[bucket], 0);
    set(state, each.questionEpoch[bucket], 0);
    set(state, each.answerMissed[bucket], 0);
    set(state, each.answerSeq[bucket], 0);
    set(state, each.answerEpoch[bucket], 0);
  }

  private void hear(byte[] state, Process each, int bucket, int number) {
    int key = state[messages[bucket][number - 1]];
    if (!on(LocalRule.STAMP)) {
      dropEntry(state, each, key);
    }
    if (number > state[each.heard[bucket]]) {
      heardOf(state, each, key, number);
      // After a gap the place stays: the next answer brings what came in between.
      if (!on(LocalRule.GAPS_STAY_OPEN) || number == state[each.heard[bucket]] + 1) {
        set(state, each.heard[bucket], number);
      }
    }
  }

  private void heardOf(byte[] state, Process each, int key, int number) {
    int before = state[each.lastHeard[key]];
    set(
        state,
        each.lastHeard[key],
        on(LocalRule.OWN_COUNT) ? before + 1 : Math.max(before, number));
  }

  private void dropEntry(byte[] state, Process each, int key) {
    set(state, each.entry[key], NONE);
    set(state, each.entryStamp[key], 0);
    set(state, each.entryEpoch[key], 0);
  }

  /** What the barrier of the shared tier sees to is not repeated here: doubt outlives the loss. */
  private byte[] flush(byte[] state) {
    byte[] next = state.clone();
    next[flushes]++;
    next[epoch]++;
    for (int bucket = 0; bucket < buckets; bucket++) {
      set(next, seq[bucket], 0);
      Arrays.fill(next, messages[bucket][0], messages[bucket][0] + MAX_SEQ, (byte) 0);
      for (Process each : process) {
        set(next, each.delivered[bucket], 0);
      }
    }
    for (int key = 0; key < keys; key++) {
      set(next, value[key], NONE);
      set(next, lease[key], 0);
    }
    return next;
  }
}
