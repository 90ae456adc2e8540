package dev.waymark.cache.model;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/**
 * The shared tier: PostgreSQL shards with writers, a Redis bucket with one cell, readers.
 *
 * <p>A value is the set of the writers that it shows, so that "old" is "misses one". Writers of one
 * row hold its lock from the statement to the moment their change can be seen; writers of a list do
 * not wait for each other. A transaction gets its xid before it waits for a lock, gets into the log
 * before it can be seen by others, and is seen before its client hears of it: each is a step.
 */
final class FenceModel implements Search.Model {
  /** What must not happen. */
  enum Promise {
    /**
     * No read misses what was acknowledged, or returned by another read, before it began, and none
     * shows what was not committed.
     */
    LINEARIZABLE,
    /** When nothing is under way any more, a value that would be served is the database's. */
    NOTHING_STALE_AT_REST
  }

  /** Whether the writers of a key lock one row. */
  enum Kind {
    ROW,
    LIST
  }

  /**
   * @param writers for each writer the key that it changes
   * @param readers for each reader the key that it reads
   * @param shards for each key its shard
   * @param losses how often Redis may lose data
   */
  record Setup(
      int[] writers,
      int[] readers,
      int[] shards,
      Kind kind,
      int losses,
      Set<Rule> rules,
      Set<Event> events) {
    /** Keys in one cell and one shard; nothing but plain reads and writes, and no rules. */
    static Setup of(int writers, int readers) {
      return new Setup(
          new int[writers],
          new int[readers],
          new int[1],
          Kind.ROW,
          0,
          EnumSet.noneOf(Rule.class),
          EnumSet.noneOf(Event.class));
    }

    Setup writersOf(int... keys) {
      return new Setup(keys, readers, shards, kind, losses, rules, events);
    }

    Setup readersOf(int... keys) {
      return new Setup(writers, keys, shards, kind, losses, rules, events);
    }

    Setup keysOn(int... shardOfKey) {
      return new Setup(writers, readers, shardOfKey, kind, losses, rules, events);
    }

    Setup of(Kind other) {
      return new Setup(writers, readers, shards, other, losses, rules, events);
    }

    Setup losing(int times) {
      return new Setup(writers, readers, shards, kind, times, rules, events);
    }

    Setup with(Rule... more) {
      Set<Rule> all = EnumSet.noneOf(Rule.class);
      all.addAll(rules);
      all.addAll(Arrays.asList(more));
      return new Setup(writers, readers, shards, kind, losses, all, events);
    }

    Setup without(Rule... fewer) {
      Set<Rule> all = EnumSet.noneOf(Rule.class);
      all.addAll(rules);
      all.removeAll(Arrays.asList(fewer));
      return new Setup(writers, readers, shards, kind, losses, all, events);
    }

    Setup when(Event... more) {
      Set<Event> all = EnumSet.noneOf(Event.class);
      all.addAll(events);
      all.addAll(Arrays.asList(more));
      return new Setup(writers, readers, shards, kind, losses, rules, all);
    }
  }

  // What a writer is doing.
  private static final int IDLE = 0;
  private static final int HAS_XID = 1;
  private static final int HAS_XID_ANNOUNCED = 2;
  private static final int LOCKED = 3;
  private static final int READY = 4;
  private static final int LOGGED = 5;
  private static final int LOGGED_CRASHED = 6;
  private static final int VISIBLE = 7;
  private static final int DELETED = 8;
  private static final int ENDED = 9;
  private static final int UNDONE = 10;

  // What a reader is doing.
  private static final int LEASED = 1;
  private static final int READ_PRIMARY = 2;
  private static final int READ_REPLICA = 3;

  // What a writer may still tell Redis when its transaction is over.
  private static final int COMMITTED = 1;
  private static final int ROLLED_BACK = 2;

  private static final int NONE = -1;
  private static final int MAX_XIDS = 7;
  private static final int ALL_XIDS = (1 << MAX_XIDS) - 1;

  private final Setup setup;
  private final Set<Promise> promises;
  private final int writers;
  private final int readers;
  private final int keys;
  private final int shards;

  // Where each variable is in the row of bytes.
  private int length;
  private final int broken;
  private final int losses;
  private final int epochs;
  private final int[] writerDoing;
  private final int[] writerXid;
  private final int[] writerDuplicate;
  private final int[] writerMaySettle;
  private final int[] writerWrote;
  private final int[] writerTimeline;
  private final int[] writerEpoch;
  private final int[] readerDoing;
  private final int[] readerNeeds;
  private final int[] readerSaw;
  private final int[] readerFinished;
  private final int[] readerXmin;
  private final int[] readerPosition;
  private final int[] readerTimeline;
  private final int[] visible;
  private final int[] floor;
  private final int[] nextXid;
  private final int[] finished;
  private final int[] running;
  private final int[] logEnd;
  private final int[][] log;
  private final int[] replayed;
  private final int[] streamed;
  private final int[] recovererToken;
  private final int[] recovererHorizon;
  private final int[] recovererTimeline;
  private final int[] promoted;
  private final int[] oldFinished;
  private final int[] oldVisible;
  private final int redis;
  private final int epoch;
  private final int[] doubt;
  private final int[] positionFloor;
  private final int[] horizon;
  private final int[] horizonPassed;
  private final int[] timeline;
  private final int[] value;
  private final int[] valueLabel;
  private final int[] valueEpoch;
  private final int[] lease;
  private final int[] leaseCopy;
  private final int[] leaseEpoch;
  private final int[] lastIntent;
  private final int[] lastIntentEpoch;
  private final int plainEpoch;
  private final int plainServer;
  private final int redisEnd;
  private final int server;
  private final int saved;
  private final int savedAt;

  FenceModel(Setup setup, Promise... promises) {
    this.setup = setup;
    this.promises = EnumSet.copyOf(Arrays.asList(promises));
    writers = setup.writers.length;
    readers = setup.readers.length;
    keys = setup.shards.length;
    shards = Arrays.stream(setup.shards).max().orElseThrow() + 1;
    broken = one();
    losses = one();
    epochs = one();
    writerDoing = row(writers);
    writerXid = row(writers);
    writerDuplicate = row(writers);
    writerMaySettle = row(writers);
    writerWrote = row(writers);
    writerTimeline = row(writers);
    writerEpoch = row(writers);
    readerDoing = row(readers);
    readerNeeds = row(readers);
    readerSaw = row(readers);
    readerFinished = row(readers);
    readerXmin = row(readers);
    readerPosition = row(readers);
    readerTimeline = row(readers);
    visible = row(keys);
    floor = row(keys);
    nextXid = row(shards);
    finished = row(shards);
    running = row(shards);
    logEnd = row(shards);
    log = new int[shards][];
    for (int shard = 0; shard < shards; shard++) {
      log[shard] = row(writers);
    }
    replayed = row(shards);
    streamed = row(shards);
    recovererToken = row(shards);
    recovererHorizon = row(shards);
    recovererTimeline = row(shards);
    promoted = row(shards);
    oldFinished = row(shards);
    oldVisible = row(keys);
    redis = length;
    epoch = one();
    doubt = row(shards);
    positionFloor = row(shards);
    horizon = row(shards);
    horizonPassed = row(shards);
    timeline = row(shards);
    value = row(keys);
    valueLabel = row(keys);
    valueEpoch = row(keys);
    lease = row(keys);
    leaseCopy = row(keys);
    leaseEpoch = row(keys);
    lastIntent = row(keys);
    lastIntentEpoch = row(keys);
    plainEpoch = one();
    plainServer = one();
    redisEnd = length;
    server = one();
    savedAt = one();
    saved = length;
    if (happens(Event.FAILOVER)) {
      length += redisEnd - redis;
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

  private boolean on(Rule rule) {
    return setup.rules.contains(rule);
  }

  private boolean happens(Event event) {
    return setup.events.contains(event);
  }

  private static int bit(int xid) {
    return 1 << (xid - 1);
  }

  private static void set(byte[] state, int at, int content) {
    state[at] = (byte) content;
  }

  @Override
  public byte[] initial() {
    byte[] state = new byte[length];
    set(state, epochs, 1);
    set(state, epoch, 1);
    set(state, plainEpoch, happens(Event.PLAIN_READ) ? 1 : 0);
    for (int key = 0; key < keys; key++) {
      set(state, value[key], NONE);
    }
    for (int shard = 0; shard < shards; shard++) {
      set(state, nextXid[shard], 1);
      set(state, horizon[shard], happens(Event.COLD_START) && on(Rule.BARRIER) ? NONE : 0);
    }
    return state;
  }

  @Override
  public Optional<String> broken(byte[] state) {
    if (promises.contains(Promise.LINEARIZABLE) && state[broken] != 0) {
      return Optional.of("a read missed what was acknowledged or returned before it began");
    }
    if (promises.contains(Promise.NOTHING_STALE_AT_REST) && isAtRest(state)) {
      for (int key = 0; key < keys; key++) {
        if ((isServed(state, key) || isServedPlainly(state, key))
            && state[value[key]] != state[visible[key]]) {
          return Optional.of("nothing is under way, and key " + key + " stays stale");
        }
      }
    }
    return Optional.empty();
  }

  /** A second execution that is still possible, and a put that may come late, may also be lost. */
  private boolean isAtRest(byte[] state) {
    for (int writer = 0; writer < writers; writer++) {
      int doing = state[writerDoing[writer]];
      if (doing != IDLE && doing < ENDED) {
        return false;
      }
    }
    for (int reader = 0; reader < readers; reader++) {
      if (state[readerDoing[reader]] != IDLE) {
        return false;
      }
    }
    for (int shard = 0; shard < shards; shard++) {
      if (happens(Event.STREAM) && state[streamed[shard]] != state[logEnd[shard]]) {
        return false;
      }
    }
    return true;
  }

  private boolean isServed(byte[] state, int key) {
    return state[value[key]] != NONE && isCurrent(state, valueEpoch[key]);
  }

  /** By a command that sees the value and the epoch's own key, and knows what server answers. */
  private boolean isServedPlainly(byte[] state, int key) {
    return happens(Event.PLAIN_READ)
        && state[value[key]] != NONE
        && state[valueEpoch[key]] == state[plainEpoch]
        && (!on(Rule.PLAIN_READ_KNOWS_THE_SERVER) || state[plainServer] == state[server]);
  }

  /** What any script begins with, where the state is a new one. */
  private void open(byte[] state) {
    if (happens(Event.PLAIN_READ)) {
      set(state, plainEpoch, state[epoch]);
      set(state, plainServer, state[server]);
    }
  }

  private boolean isCurrent(byte[] state, int tag) {
    return !on(Rule.EPOCH) || state[tag] == state[epoch];
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
    for (int key = 0; key < keys; key++) {
      readSteps(state, key, steps);
    }
    for (int reader = 0; reader < readers; reader++) {
      readerSteps(state, reader, steps);
    }
    for (int shard = 0; shard < shards; shard++) {
      shardSteps(state, shard, steps);
    }
    lossSteps(state, steps);
  }

  private void writerSteps(byte[] state, int writer, Search.Steps steps) {
    int key = setup.writers[writer];
    int shard = setup.shards[key];
    int xid = state[writerXid[writer]];
    switch (state[writerDoing[writer]]) {
      case IDLE -> {
        if (state[nextXid[shard]] <= MAX_XIDS && isNextOfItsLikes(state, writer)) {
          byte[] next = state.clone();
          int assigned = next[nextXid[shard]]++;
          set(next, writerXid[writer], assigned);
          set(next, writerTimeline[writer], state[promoted[shard]]);
          next[running[shard]] |= (byte) bit(assigned);
          set(next, writerDoing[writer], HAS_XID);
          steps.add("W%d begins as xid %d", writer, assigned, next);
        }
      }
      case HAS_XID, HAS_XID_ANNOUNCED -> {
        boolean announced = state[writerDoing[writer]] == HAS_XID_ANNOUNCED;
        if (!announced && !on(Rule.ANNOUNCE_UNDER_LOCK) && talksBeforeCommit(writer)) {
          byte[] next = state.clone();
          announce(next, writer);
          set(next, writerDoing[writer], HAS_XID_ANNOUNCED);
          steps.add("W%d announces xid %d, without the lock yet", writer, xid, next);
        } else if (setup.kind == Kind.LIST || isUnlocked(state, key)) {
          byte[] next = state.clone();
          set(next, writerDoing[writer], announced || !talksBeforeCommit(writer) ? READY : LOCKED);
          steps.add("W%d changes key %d", writer, key, next);
        }
        rollbackStep(state, writer, steps);
      }
      case LOCKED -> {
        byte[] next = state.clone();
        announce(next, writer);
        set(next, writerDoing[writer], READY);
        String text =
            on(Rule.ANNOUNCE)
                ? "W%d announces xid %d: value and lease dropped"
                : "W%d drops value and lease before COMMIT";
        steps.add(
            happens(Event.BULK) ? "W%d, xid %d, begins a new epoch" : text, writer, xid, next);
        rollbackStep(state, writer, steps);
      }
      case READY -> {
        byte[] next = state.clone();
        set(next, log[shard][next[logEnd[shard]]++], writer);
        set(next, writerDoing[writer], LOGGED);
        steps.add("W%d's COMMIT is in the log", writer, 0, next);
        rollbackStep(state, writer, steps);
      }
      case LOGGED, LOGGED_CRASHED -> {
        boolean crashed = state[writerDoing[writer]] == LOGGED_CRASHED;
        if (!crashed && happens(Event.CRASH)) {
          byte[] dead = state.clone();
          set(dead, writerDoing[writer], LOGGED_CRASHED);
          steps.add("W%d's process dies", writer, 0, dead);
        }
        if (waitsForReplica(state, writer)) {
          return;
        }
        byte[] next = state.clone();
        finish(next, shard, xid);
        next[visible[key]] |= (byte) (1 << writer);
        set(next, writerDoing[writer], crashed ? ENDED : VISIBLE);
        if (settles(writer) && !crashed) {
          set(next, writerMaySettle[writer], COMMITTED);
          set(next, writerWrote[writer], next[visible[key]]);
        }
        steps.add("W%d's change can be seen", writer, 0, next);
      }
      case VISIBLE -> {
        if (on(Rule.DELETE_AFTER_COMMIT) && !isStranger(writer)) {
          byte[] next = state.clone();
          drop(next, key);
          set(next, writerDoing[writer], DELETED);
          steps.add("W%d drops value and lease after COMMIT", writer, 0, next);
        } else {
          acknowledge(state, writer, steps);
        }
        if (happens(Event.CRASH)) {
          byte[] dead = state.clone();
          set(dead, writerDoing[writer], ENDED);
          set(dead, writerMaySettle[writer], 0);
          steps.add("W%d's process dies", writer, 0, dead);
        }
      }
      case DELETED -> acknowledge(state, writer, steps);
      default -> {}
    }
    if (state[writerDuplicate[writer]] != 0) {
      byte[] next = state.clone();
      set(next, writerDuplicate[writer], 0);
      announceOnce(next, writer, !on(Rule.PUT_TOKEN_PER_EXECUTION));
      steps.add("W%d's announcement of xid %d is executed again", writer, xid, next);
    }
    if (state[writerMaySettle[writer]] != 0) {
      settleStep(state, writer, steps);
    }
  }

  private boolean settles(int writer) {
    return (happens(Event.PUT) || happens(Event.SETTLE)) && !isStranger(writer);
  }

  /** Where a replica may be promoted, replication is synchronous: else commits are lost anyway. */
  private boolean waitsForReplica(byte[] state, int writer) {
    int shard = setup.shards[setup.writers[writer]];
    return happens(Event.PROMOTION)
        && state[promoted[shard]] == 0
        && state[replayed[shard]] <= logIndex(state, shard, writer);
  }

  private int logIndex(byte[] state, int shard, int writer) {
    for (int at = 0; at < state[logEnd[shard]]; at++) {
      if (state[log[shard][at]] == writer) {
        return at;
      }
    }
    throw new IllegalStateException("W" + writer + " is not in the log");
  }

  /** Writers that differ in nothing begin in their order: the other orders show nothing new. */
  private boolean isNextOfItsLikes(byte[] state, int writer) {
    for (int before = 0; before < writer; before++) {
      if (setup.writers[before] == setup.writers[writer]
          && isStranger(before) == isStranger(writer)
          && state[writerDoing[before]] == IDLE) {
        return false;
      }
    }
    return true;
  }

  private boolean isStranger(int writer) {
    return writer == 0 && happens(Event.STRANGER);
  }

  private boolean talksBeforeCommit(int writer) {
    return !isStranger(writer) && (on(Rule.ANNOUNCE) || on(Rule.DELETE_BEFORE_COMMIT));
  }

  private boolean isUnlocked(byte[] state, int key) {
    for (int writer = 0; writer < writers; writer++) {
      int doing = state[writerDoing[writer]];
      if (setup.writers[writer] == key && doing >= LOCKED && doing <= LOGGED_CRASHED) {
        return false;
      }
    }
    return true;
  }

  private void rollbackStep(byte[] state, int writer, Search.Steps steps) {
    if (happens(Event.ROLLBACK)) {
      byte[] next = state.clone();
      finish(next, setup.shards[setup.writers[writer]], state[writerXid[writer]]);
      set(next, writerDoing[writer], UNDONE);
      if (happens(Event.SETTLE) && settles(writer)) {
        set(next, writerMaySettle[writer], ROLLED_BACK);
      }
      steps.add("W%d is rolled back", writer, 0, next);
    }
  }

  private void finish(byte[] state, int shard, int xid) {
    state[running[shard]] &= (byte) ~bit(xid);
    state[finished[shard]] |= (byte) bit(xid);
  }

  private void acknowledge(byte[] state, int writer, Search.Steps steps) {
    byte[] next = state.clone();
    next[floor[setup.writers[writer]]] |= (byte) (1 << writer);
    set(next, writerDoing[writer], ENDED);
    steps.add("W%d is told that its COMMIT is done", writer, 0, next);
  }

  private void announce(byte[] state, int writer) {
    announceOnce(state, writer, true);
    if (happens(Event.DUPLICATE)) {
      set(state, writerDuplicate[writer], 1);
    }
  }

  /**
   * @param givesRightToPut whether the writer's put will find the mark that this execution leaves
   */
  private void announceOnce(byte[] state, int writer, boolean givesRightToPut) {
    int key = setup.writers[writer];
    int shard = setup.shards[key];
    open(state);
    if (on(Rule.TIMELINE)) {
      meet(state, shard, state[writerTimeline[writer]]);
    }
    if (happens(Event.BULK)) {
      beginEpoch(state, writer);
      return;
    }
    drop(state, key);
    if (on(Rule.TIMELINE) && state[writerTimeline[writer]] < state[timeline[shard]]) {
      return; // A transaction of a server that is primary no more: it cannot be committed.
    }
    if (on(Rule.ANNOUNCE) && (on(Rule.RECORD_WITHOUT_HORIZON) || state[horizon[shard]] != NONE)) {
      state[doubt[shard]] |= (byte) bit(state[writerXid[writer]]);
    }
    if (happens(Event.PUT)) {
      set(state, lastIntent[key], givesRightToPut ? writer + 1 : 0);
      set(state, lastIntentEpoch[key], givesRightToPut ? state[epoch] : 0);
    }
  }

  /**
   * Values and leases of the epoch before are dead, and the horizon of this one is drawn after the
   * writer got its xid. What is in doubt stays so.
   */
  private void beginEpoch(byte[] state, int writer) {
    if (on(Rule.EPOCH_NEVER_RETURNS) || state[writerEpoch[writer]] == 0) {
      set(state, writerEpoch[writer], ++state[epochs]);
    }
    set(state, epoch, state[writerEpoch[writer]]);
    if (on(Rule.PLAIN_EPOCH_GOES_WITH_THE_STATE)) {
      open(state);
    }
    for (int each = 0; each < shards; each++) {
      set(state, horizon[each], NONE);
      set(state, horizonPassed[each], 0);
    }
  }

  private void drop(byte[] state, int key) {
    set(state, value[key], NONE);
    set(state, valueLabel[key], 0);
    set(state, valueEpoch[key], 0);
    dropLease(state, key);
  }

  private void dropLease(byte[] state, int key) {
    set(state, lease[key], 0);
    set(state, leaseCopy[key], 0);
    set(state, leaseEpoch[key], 0);
  }

  /**
   * The epoch in the token is compared with the state that Redis has now, not only with the mark.
   */
  private void settleStep(byte[] state, int writer, Search.Steps steps) {
    int key = setup.writers[writer];
    int shard = setup.shards[key];
    boolean committed = state[writerMaySettle[writer]] == COMMITTED;
    byte[] next = state.clone();
    open(next);
    set(next, writerMaySettle[writer], 0);
    set(next, writerWrote[writer], 0);
    boolean isOld = on(Rule.TIMELINE) && state[writerTimeline[writer]] != state[timeline[shard]];
    if (happens(Event.SETTLE) && !isOld) {
      next[doubt[shard]] &= (byte) ~bit(state[writerXid[writer]]);
      if (committed && on(Rule.PURGE_RAISES_FLOOR)) {
        raise(next, shard, logIndex(state, shard, writer) + 1);
      }
    }
    boolean put =
        happens(Event.PUT)
            && committed
            && state[lastIntent[key]] == writer + 1
            && (!on(Rule.PUT_TOKEN_OF_EPOCH) || state[lastIntentEpoch[key]] == state[epoch]);
    if (put) {
      set(next, value[key], state[writerWrote[writer]]);
      set(next, valueLabel[key], bit(state[writerXid[writer]]));
      set(next, valueEpoch[key], state[epoch]);
      dropLease(next, key);
    }
    steps.add(
        put ? "W%d puts what it wrote to key %d" : "W%d is over, and puts nothing to key %d",
        writer,
        key,
        next);
  }

  /** Reads that are one step each: of a value that is there, and of the primary past the cache. */
  private void readSteps(byte[] state, int key, Search.Steps steps) {
    if (isServedPlainly(state, key)) {
      returned(state.clone(), key, state[value[key]], "a plain read of key %d finds %d", steps);
    }
    if (isServed(state, key)) {
      returned(state.clone(), key, state[value[key]], "a read of key %d finds %d", steps);
      if (!happens(Event.REFRESH)) {
        return;
      }
    }
    // Somebody else has the lease, Redis is not to be used, or it cannot be reached.
    if (on(Rule.LEASE)) {
      returned(state.clone(), key, state[visible[key]], "a read of key %d asks the primary", steps);
    }
    if (on(Rule.LEASE) && state[lease[key]] != 0) {
      return;
    }
    for (int reader = 0; reader < readers; reader++) {
      if (setup.readers[reader] == key && state[readerDoing[reader]] == IDLE) {
        byte[] next = state.clone();
        set(next, readerDoing[reader], LEASED);
        set(next, readerNeeds[reader], state[floor[key]]);
        if (on(Rule.LEASE)) {
          open(next);
          forgetSavedLease(next, reader);
          set(next, lease[key], reader + 1);
          set(next, leaseCopy[key], state[doubt[setup.shards[key]]]);
          set(next, leaseEpoch[key], state[epoch]);
          steps.add("R%d misses key %d and has the lease", reader, key, next);
        } else {
          steps.add("R%d misses key %d", reader, key, next);
        }
        return; // Idle readers differ in nothing.
      }
    }
  }

  /** Tokens are never used twice: a lease that a failover brings back is not the new one. */
  private void forgetSavedLease(byte[] state, int reader) {
    if (state[savedAt] != 0) {
      for (int key = 0; key < keys; key++) {
        int at = saved + lease[key] - redis;
        if (state[at] == reader + 1) {
          set(state, at, 0);
          set(state, saved + leaseCopy[key] - redis, 0);
          set(state, saved + leaseEpoch[key] - redis, 0);
        }
      }
    }
  }

  private void returned(byte[] next, int key, int shown, String text, Search.Steps steps) {
    check(next, key, next[floor[key]], shown);
    steps.add(text, key, shown, next);
  }

  private void check(byte[] next, int key, int needs, int shown) {
    int committed = 0;
    for (int writer = 0; writer < writers; writer++) {
      int doing = next[writerDoing[writer]];
      if (doing >= LOGGED && doing <= ENDED) {
        committed |= 1 << writer;
      }
    }
    if ((needs & ~shown) != 0 || (shown & ~committed) != 0) {
      set(next, broken, 1);
    }
    next[floor[key]] |= (byte) shown;
  }

  private void readerSteps(byte[] state, int reader, Search.Steps steps) {
    int key = setup.readers[reader];
    int shard = setup.shards[key];
    switch (state[readerDoing[reader]]) {
      case LEASED -> {
        byte[] next = state.clone();
        set(next, readerDoing[reader], READ_PRIMARY);
        set(next, readerSaw[reader], state[visible[key]]);
        set(next, readerFinished[reader], state[finished[shard]]);
        set(next, readerXmin[reader], xmin(state, shard));
        set(next, readerPosition[reader], state[logEnd[shard]]);
        set(next, readerTimeline[reader], state[promoted[shard]]);
        check(next, key, state[readerNeeds[reader]], state[visible[key]]);
        set(next, readerNeeds[reader], 0);
        steps.add("R%d reads the primary and returns %d", reader, state[visible[key]], next);
        if (state[promoted[shard]] != 0) {
          // What it returns is for those who choose nodes to prevent: here, only that it fills.
          byte[] old = state.clone();
          set(old, readerDoing[reader], READ_PRIMARY);
          set(old, readerSaw[reader], state[oldVisible[key]]);
          set(old, readerFinished[reader], state[oldFinished[shard]]);
          set(old, readerXmin[reader], oldXmin(state, shard));
          set(old, readerPosition[reader], 0);
          set(old, readerNeeds[reader], 0);
          steps.add("R%d reads the old primary and sees %d", reader, state[oldVisible[key]], old);
        }
        if (happens(Event.REPLICA)) {
          // The position is asked before the read; meanwhile the replica may have gone on.
          for (int behind = 0; behind <= Math.min(1, state[replayed[shard]]); behind++) {
            int position = state[replayed[shard]] - behind;
            byte[] replica = state.clone();
            set(replica, readerDoing[reader], READ_REPLICA);
            set(replica, readerSaw[reader], replayedMask(state, key));
            set(replica, readerPosition[reader], position);
            steps.add("R%d reads a replica that is at %d", reader, position, replica);
          }
        }
      }
      case READ_PRIMARY -> {
        byte[] next = state.clone();
        boolean accepted = fillFromPrimary(next, reader);
        forget(next, reader);
        if (happens(Event.JOIN) && !on(Rule.JOIN_BEFORE_SNAPSHOT)) {
          returned(
              state.clone(),
              key,
              state[readerSaw[reader]],
              "a read of key %d joins the load of " + reader + " and returns %d",
              steps);
        }
        steps.add(
            accepted ? "R%d's fill of key %d is accepted" : "R%d's fill of key %d is refused",
            reader,
            key,
            next);
      }
      case READ_REPLICA -> {
        byte[] next = state.clone();
        boolean accepted = fillFromReplica(next, reader);
        int needs = state[readerNeeds[reader]];
        forget(next, reader);
        if (accepted) {
          check(next, key, needs, state[readerSaw[reader]]);
        } else {
          set(next, readerDoing[reader], LEASED);
          set(next, readerNeeds[reader], needs);
        }
        steps.add(
            accepted
                ? "R%d's fill from the replica is accepted, it returns %d"
                : "R%d's fill from the replica is refused, it has to ask again",
            reader,
            state[readerSaw[reader]],
            next);
      }
      default -> {}
    }
  }

  private void forget(byte[] state, int reader) {
    set(state, readerDoing[reader], IDLE);
    set(state, readerNeeds[reader], 0);
    set(state, readerSaw[reader], 0);
    set(state, readerFinished[reader], 0);
    set(state, readerXmin[reader], 0);
    set(state, readerPosition[reader], 0);
    set(state, readerTimeline[reader], 0);
  }

  /** As GetSnapshotData has it: xmax is the latest completed xid + 1, xmin the oldest below it. */
  private int xmin(byte[] state, int shard) {
    int xmax = xmax(state, shard);
    for (int xid = 1; xid < xmax; xid++) {
      if ((state[running[shard]] & bit(xid)) != 0) {
        return xid;
      }
    }
    return xmax;
  }

  private int xmax(byte[] state, int shard) {
    return 33 - Integer.numberOfLeadingZeros(state[finished[shard]]);
  }

  private int replayedMask(byte[] state, int key) {
    int mask = 0;
    int shard = setup.shards[key];
    for (int at = 0; at < state[replayed[shard]]; at++) {
      int writer = state[log[shard][at]];
      if (setup.writers[writer] == key) {
        mask |= 1 << writer;
      }
    }
    return mask;
  }

  private boolean hasLease(byte[] state, int reader, int key) {
    return on(Rule.LEASE_TOKEN)
        ? state[lease[key]] == reader + 1 && isCurrent(state, leaseEpoch[key])
        : state[lease[key]] != 0;
  }

  private int inDoubt(byte[] state, int key) {
    return on(Rule.LEASE_COPY) ? state[leaseCopy[key]] : state[doubt[setup.shards[key]]];
  }

  private boolean fillFromPrimary(byte[] state, int reader) {
    int key = setup.readers[reader];
    int shard = setup.shards[key];
    int label = state[readerFinished[reader]];
    open(state);
    if (on(Rule.TIMELINE)) {
      meet(state, shard, state[readerTimeline[reader]]);
    }
    boolean leased = !on(Rule.LEASE) || hasLease(state, reader, key);
    boolean accepted =
        leased
            && (!on(Rule.TIMELINE) || state[readerTimeline[reader]] == state[timeline[shard]])
            && (!on(Rule.SNAPSHOT_TEST) || (inDoubt(state, key) & ~label) == 0)
            && (!on(Rule.BARRIER)
                || (state[horizon[shard]] != NONE
                    && state[readerXmin[reader]] >= state[horizon[shard]]));
    if (accepted) {
      store(state, key, state[readerSaw[reader]], label);
      purge(state, shard, label, state[readerPosition[reader]]);
      if (state[horizon[shard]] > 0 && state[horizonPassed[shard]] == 0) {
        set(state, horizonPassed[shard], 1);
        if (on(Rule.HORIZON_RAISES_FLOOR)) {
          raise(state, shard, state[readerPosition[reader]]);
        }
      }
    } else if (leased) {
      dropLease(state, key);
    }
    return accepted;
  }

  private boolean fillFromReplica(byte[] state, int reader) {
    int key = setup.readers[reader];
    int shard = setup.shards[key];
    open(state);
    boolean leased = hasLease(state, reader, key);
    boolean accepted =
        leased
            && (!on(Rule.REPLICA_NEEDS_NO_DOUBT) || inDoubt(state, key) == 0)
            && (!on(Rule.POSITION_FLOOR)
                || state[readerPosition[reader]] >= state[positionFloor[shard]])
            && (!on(Rule.BARRIER)
                || state[horizon[shard]] == 0
                || (state[horizon[shard]] > 0 && state[horizonPassed[shard]] != 0));
    if (accepted) {
      store(state, key, state[readerSaw[reader]], 0);
    }
    return accepted;
  }

  private void store(byte[] state, int key, int shown, int label) {
    set(state, value[key], shown);
    set(state, valueLabel[key], label);
    set(state, valueEpoch[key], state[epoch]);
    dropLease(state, key);
  }

  private void purge(byte[] state, int shard, int label, int position) {
    if ((state[doubt[shard]] & label) != 0) {
      state[doubt[shard]] &= (byte) ~label;
      if (on(Rule.PURGE_RAISES_FLOOR)) {
        raise(state, shard, position);
      }
    }
  }

  private void raise(byte[] state, int shard, int position) {
    set(state, positionFloor[shard], Math.max(state[positionFloor[shard]], position));
  }

  private void shardSteps(byte[] state, int shard, Search.Steps steps) {
    if ((happens(Event.REPLICA) || happens(Event.PROMOTION))
        && state[promoted[shard]] == 0
        && state[replayed[shard]] < state[logEnd[shard]]) {
      byte[] next = state.clone();
      next[replayed[shard]]++;
      steps.add("a replica of shard %d is at %d", shard, next[replayed[shard]], next);
    }
    if (happens(Event.STREAM) && state[streamed[shard]] < state[logEnd[shard]]) {
      byte[] next = state.clone();
      int writer = state[log[shard][next[streamed[shard]]++]];
      applyFromStream(next, shard, writer);
      steps.add("the stream of shard %d delivers W%d's change", shard, writer, next);
    }
    if (happens(Event.SWEEP) && (state[doubt[shard]] & state[finished[shard]]) != 0) {
      byte[] next = state.clone();
      open(next);
      if (on(Rule.TIMELINE)) {
        meet(next, shard, state[promoted[shard]]);
      }
      purge(next, shard, state[finished[shard]], state[logEnd[shard]]);
      steps.add("finished xids of shard %d are swept", shard, 0, next);
    }
    if (happens(Event.SWEEP)
        && state[promoted[shard]] != 0
        && (!on(Rule.TIMELINE) || state[timeline[shard]] == 0)
        && (state[doubt[shard]] & state[oldFinished[shard]]) != 0) {
      byte[] next = state.clone();
      purge(next, shard, state[oldFinished[shard]], 0);
      steps.add("shard %d is swept by a snapshot of the old primary", shard, 0, next);
    }
    if (happens(Event.PROMOTION) && state[promoted[shard]] == 0) {
      steps.add("the replica of shard %d is promoted", shard, 0, promote(state, shard));
    }
    if (!on(Rule.BARRIER)) {
      return;
    }
    if (state[horizon[shard]] == NONE
        && state[recovererToken[shard]] == 0
        && state[nextXid[shard]] <= MAX_XIDS) {
      byte[] next = state.clone();
      int horizonXid = xmax(state, shard);
      if (on(Rule.HORIZON_ASSIGNED)) {
        horizonXid = next[nextXid[shard]]++;
        finish(next, shard, horizonXid);
      }
      set(next, recovererToken[shard], state[epoch]);
      set(next, recovererHorizon[shard], horizonXid);
      set(next, recovererTimeline[shard], state[promoted[shard]]);
      steps.add("a client takes xid %d as horizon of shard %d", horizonXid, shard, next);
      if (state[promoted[shard]] != 0 && !on(Rule.HORIZON_IS_REPLICATED)) {
        byte[] old = state.clone();
        set(old, recovererToken[shard], state[epoch]);
        set(old, recovererHorizon[shard], 1);
        steps.add("a client takes a horizon of shard %d from the old primary", shard, 0, old);
      }
    }
    if (state[recovererToken[shard]] != 0) {
      byte[] next = state.clone();
      open(next);
      if (on(Rule.TIMELINE)) {
        meet(next, shard, state[recovererTimeline[shard]]);
      }
      boolean accepted =
          next[horizon[shard]] == NONE
              && (!on(Rule.TIMELINE) || state[recovererTimeline[shard]] == next[timeline[shard]])
              && (!on(Rule.RECOVERY_TOKEN) || state[recovererToken[shard]] == state[epoch]);
      if (accepted) {
        set(next, horizon[shard], state[recovererHorizon[shard]]);
        for (int other = 0; other < shards && !on(Rule.HORIZON_PER_SHARD); other++) {
          if (state[horizon[other]] == NONE && other != shard) {
            set(next, horizon[other], 0);
          }
        }
      }
      set(next, recovererToken[shard], 0);
      set(next, recovererHorizon[shard], 0);
      set(next, recovererTimeline[shard], 0);
      steps.add(
          accepted
              ? "the client installs horizon %d of shard %d"
              : "the client's horizon %d of shard %d is refused",
          state[recovererHorizon[shard]],
          shard,
          next);
    }
  }

  /** A shard whose timeline is newer than was known is treated as if its state were lost. */
  private void meet(byte[] state, int shard, int met) {
    if (met <= state[timeline[shard]]) {
      return;
    }
    set(state, timeline[shard], met);
    set(state, doubt[shard], 0);
    set(state, positionFloor[shard], 0);
    set(state, horizon[shard], NONE);
    set(state, horizonPassed[shard], 0);
    for (int key = 0; key < keys; key++) {
      if (setup.shards[key] == shard) {
        drop(state, key);
        set(state, lastIntent[key], 0);
        set(state, lastIntentEpoch[key], 0);
      }
    }
  }

  /**
   * What the replica has is all there is from now on, and xids it never saw are given out again.
   * The old primary goes on: whatever was not in its log has ended there, and others come and end.
   */
  private byte[] promote(byte[] state, int shard) {
    byte[] next = state.clone();
    int last = 0;
    int waiting = 0;
    for (int key = 0; key < keys; key++) {
      set(next, oldVisible[key], state[visible[key]]);
    }
    for (int writer = 0; writer < writers; writer++) {
      int key = setup.writers[writer];
      int doing = state[writerDoing[writer]];
      if (setup.shards[key] != shard || doing == IDLE) {
        continue;
      }
      boolean logged = doing >= LOGGED && doing <= ENDED;
      if (!logged) {
        set(next, writerDoing[writer], UNDONE);
        continue;
      }
      if (doing <= LOGGED_CRASHED) {
        waiting |= bit(state[writerXid[writer]]);
      }
      if (logIndex(state, shard, writer) < state[replayed[shard]]) {
        last = Math.max(last, state[writerXid[writer]]);
        next[visible[key]] |= (byte) (1 << writer);
        set(next, writerDoing[writer], doing <= LOGGED_CRASHED ? ENDED : doing);
      } else {
        set(next, writerDoing[writer], UNDONE);
      }
    }
    for (int at = state[replayed[shard]]; at < state[logEnd[shard]]; at++) {
      set(next, log[shard][at], 0);
    }
    set(next, logEnd[shard], state[replayed[shard]]);
    set(next, nextXid[shard], last + 1);
    set(next, finished[shard], (1 << last) - 1);
    set(next, running[shard], 0);
    set(next, oldFinished[shard], ALL_XIDS & ~waiting);
    set(next, promoted[shard], 1);
    return next;
  }

  private int oldXmin(byte[] state, int shard) {
    return 1 + Integer.numberOfTrailingZeros(~state[oldFinished[shard]]);
  }

  private void applyFromStream(byte[] state, int shard, int writer) {
    open(state);
    int key = setup.writers[writer];
    int xid = state[writerXid[writer]];
    if (on(Rule.STREAM_WITH_XID)) {
      if (state[value[key]] == NONE || (state[valueLabel[key]] & bit(xid)) == 0) {
        drop(state, key);
        state[doubt[shard]] |= (byte) bit(xid);
      }
      raise(state, shard, state[streamed[shard]]);
    } else {
      drop(state, key);
    }
    if (on(Rule.STREAM_ENDS_PUT)) {
      set(state, lastIntent[key], 0);
      set(state, lastIntentEpoch[key], 0);
    }
  }

  private void lossSteps(byte[] state, Search.Steps steps) {
    if (happens(Event.EVICTION)) {
      for (int key = 0; key < keys; key++) {
        if (state[value[key]] != NONE) {
          byte[] next = state.clone();
          set(next, value[key], NONE);
          set(next, valueLabel[key], 0);
          set(next, valueEpoch[key], 0);
          steps.add("Redis evicts the value of key %d", key, 0, next);
        }
        if (state[lease[key]] != 0) {
          byte[] next = state.clone();
          dropLease(next, key);
          steps.add("the lease of key %d ends", key, 0, next);
        }
      }
    }
    if (state[losses] >= setup.losses) {
      return;
    }
    if (happens(Event.FLUSH)) {
      byte[] next = state.clone();
      loseState(next);
      for (int key = 0; key < keys; key++) {
        drop(next, key);
        set(next, lastIntent[key], 0);
        set(next, lastIntentEpoch[key], 0);
      }
      set(next, plainEpoch, 0);
      set(next, plainServer, 0);
      steps.add("Redis loses everything", 0, 0, next);
    }
    if (happens(Event.STATE_EVICTION)) {
      byte[] next = state.clone();
      loseState(next);
      steps.add("Redis evicts the state of the bucket", 0, 0, next);
    }
    if (happens(Event.FAILOVER)) {
      if (state[savedAt] == 0) {
        byte[] next = state.clone();
        System.arraycopy(state, redis, next, saved, redisEnd - redis);
        set(next, savedAt, 1);
        steps.add("Redis' replica gets this far", 0, 0, next);
      } else {
        byte[] next = state.clone();
        System.arraycopy(state, saved, next, redis, redisEnd - redis);
        Arrays.fill(next, saved, saved + redisEnd - redis, (byte) 0);
        set(next, savedAt, 0);
        next[losses]++;
        next[server]++;
        if (on(Rule.BARRIER)) {
          newState(next);
        }
        steps.add("Redis fails over to its replica", 0, 0, next);
      }
    }
  }

  private void loseState(byte[] state) {
    state[losses]++;
    newState(state);
  }

  /**
   * The next command of anybody makes this state, under an epoch of its own. Nothing can tell
   * whether that happens now or then: until a client has seen the new epoch it takes no horizon.
   */
  private void newState(byte[] state) {
    set(state, epoch, on(Rule.EPOCH_NEVER_RETURNS) ? ++state[epochs] : 1);
    for (int shard = 0; shard < shards; shard++) {
      set(state, doubt[shard], 0);
      set(state, positionFloor[shard], 0);
      set(state, horizon[shard], on(Rule.BARRIER) ? NONE : 0);
      set(state, horizonPassed[shard], 0);
    }
  }
}
