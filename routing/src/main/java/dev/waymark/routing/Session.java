package dev.waymark.routing;

import dev.waymark.Consistency;
import dev.waymark.LogPosition;
import dev.waymark.ReadMark;
import dev.waymark.Role;
import dev.waymark.SessionToken;
import dev.waymark.SessionTokenFormat;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.concurrent.Executor;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One client's view of time: what it has written and read, so that its later reads neither miss its
 * writes nor go back behind its earlier reads. Bind it to the thread that works for the client;
 * carry it elsewhere as {@link #token()}. Safe to share between threads that work for the same
 * client.
 *
 * <p>How far a replica was when it answered is known only from a look that was begun after the
 * answer; asking in each read would cost a round trip. So a read leaves a mark: the node, and when.
 * Until the monitor has looked at the node (or at the primary) again, the session's reads stay on
 * that node or go to the primary; from then on the position found is a floor like any other.
 */
public final class Session {
  private static final Mark[] NO_MARKS = {};
  private static final Elsewhere[] NOWHERE = {};

  private final ThreadLocal<@Nullable Session> current;
  private final SessionTokenFormat format;
  private final Consistency consistency;
  private final LongSupplier nanoClock;

  /** Written under this object's lock, so that no advance is lost to another. */
  private volatile SessionToken seen;

  /** Replaced under this object's lock, by floors in {@link #seen} before a mark goes. */
  private volatile Mark[] marks;

  /** Replaced under this object's lock; one for each shard read from a replica of. */
  private volatile Elsewhere[] elsewhere;

  /** Whom this session works for, hashed; 0 if nobody has said. */
  private volatile long client;

  /** Read from a server, at a place that is not known yet. */
  private static final class Mark {
    private final ReadMark place;

    /** When the last answer from there had come. Written under the session's lock. */
    private volatile long readAtNanos;

    Mark(ReadMark place, long readAtNanos) {
      this.place = place;
      this.readAtNanos = readAtNanos;
    }

    /** Answers may be told of in another order than they came in. */
    void readUntil(long nanos) {
      if (nanos - readAtNanos > 0) {
        readAtNanos = nanos;
      }
    }

    boolean isOf(LogPosition position, long server) {
      return place.server() == server
          && place.systemId() == position.systemId()
          && place.timeline() == position.timeline();
    }
  }

  /** What was read from replicas of one shard, which its primary may be about to show. */
  private static final class Elsewhere {
    private final long systemId;

    /** When the last answer from a replica had come. Written under the session's lock. */
    private volatile long readAtNanos;

    /** The primary shows all that had been read by then. Written under the session's lock. */
    private volatile long confirmedAtNanos;

    private volatile boolean isConfirmed;

    Elsewhere(long systemId, long readAtNanos) {
      this.systemId = systemId;
      this.readAtNanos = readAtNanos;
    }
  }

  Session(
      ThreadLocal<@Nullable Session> current,
      SessionTokenFormat format,
      Consistency consistency,
      SessionToken seen,
      LongSupplier nanoClock) {
    this.current = current;
    this.format = format;
    this.consistency = consistency;
    this.nanoClock = nanoClock;
    this.seen = SessionToken.empty();
    this.marks = NO_MARKS;
    this.elsewhere = NOWHERE;
    join(seen);
  }

  /** What this session has seen, as text that another process can resume from. */
  public String token() {
    return format.print(seen());
  }

  /** What this session has seen. */
  public synchronized SessionToken seen() {
    SessionToken token = seen;
    for (Mark mark : marks) {
      token = token.readFrom(mark.place);
    }
    return token;
  }

  /** What reads of this session see if the call says nothing else. */
  public Consistency consistency() {
    return consistency;
  }

  /**
   * Says whom this session works for: with {@code reads.balancing: rendezvousByClient} its reads go
   * to the same node as all others for this client, from any process, as long as that node may
   * answer them. Otherwise it changes nothing.
   *
   * @param name the client's name, address or user; only its hash is kept, and it is no part of the
   *     token
   * @return this session
   */
  public Session servedFor(String name) {
    // FNV-1a: the same in every process and release, as String.hashCode is, over 64 bits.
    long hash = 0xCBF29CE484222325L;
    for (int i = 0; i < name.length(); i++) {
      hash = (hash ^ name.charAt(i)) * 0x100000001B3L;
    }
    client = hash == 0 ? 1 : hash;
    return this;
  }

  /** What a balancer keeps together: the client, or the key if nobody has named one. */
  long affinity(long key) {
    long named = client;
    return named == 0 ? key : named;
  }

  /**
   * Makes this the current session of the calling thread until the binding is closed. Work that is
   * handed to another thread binds it there: see {@link #wrap(Runnable)} and {@link
   * SessionAccessor}.
   */
  public Binding bind() {
    Session before = current.get();
    current.set(this);
    return () -> {
      if (before == null) {
        current.remove();
      } else {
        current.set(before);
      }
    };
  }

  /** A task that runs in this session, on whatever thread it is run. */
  public Runnable wrap(Runnable task) {
    return () -> {
      try (Binding bound = bind()) {
        task.run();
      }
    };
  }

  /** A task that runs in this session, on whatever thread it is called. */
  public <T> Callable<T> wrap(Callable<T> task) {
    return () -> {
      try (Binding bound = bind()) {
        return task.call();
      }
    };
  }

  /** An executor whose tasks run in this session, platform threads or virtual ones. */
  public Executor wrap(Executor executor) {
    return task -> executor.execute(wrap(task));
  }

  /** Also covers what another session has seen. */
  public synchronized void join(SessionToken other) {
    SessionToken joined = seen;
    for (LogPosition position : other.positions()) {
      joined = joined.advancedTo(position);
    }
    // Whenever that was read, it was before now.
    long now = nanoClock.getAsLong();
    for (LogPosition position : other.reads()) {
      joined = joined.readUpTo(position);
      readElsewhere(position.systemId(), now);
    }
    for (LogPosition position : other.untold()) {
      joined = joined.untoldUpTo(position);
    }
    seen = joined;
    for (ReadMark mark : other.marks()) {
      mark(mark, now);
      readElsewhere(mark.systemId(), now);
    }
  }

  synchronized void wrote(LogPosition position) {
    seen = seen.succeededBy(position);
  }

  /** An answer came from a node; an instant after it came is given. */
  synchronized void read(NodeView node, long nowNanos) {
    LogPosition position = node.position();
    if (position == null) {
      return;
    }
    if (!node.isUp(Role.PRIMARY)) {
      readElsewhere(position.systemId(), nowNanos);
    }
    for (Mark mark : marks) {
      if (mark.isOf(position, node.seen().server())) {
        mark.readUntil(nowNanos);
        return;
      }
    }
    mark(new ReadMark(position.systemId(), position.timeline(), node.seen().server()), nowNanos);
  }

  /** The caller holds this object's lock. */
  private void readElsewhere(long systemId, long nowNanos) {
    for (Elsewhere each : elsewhere) {
      if (each.systemId == systemId) {
        if (nowNanos - each.readAtNanos > 0) {
          each.readAtNanos = nowNanos;
        }
        return;
      }
    }
    Elsewhere[] more = Arrays.copyOf(elsewhere, elsewhere.length + 1);
    more[elsewhere.length] = new Elsewhere(systemId, nowNanos);
    elsewhere = more;
  }

  /**
   * Whether the primary of a shard may not yet show something that this session has read from a
   * replica: see {@link PrimaryVisibility}.
   */
  boolean isAheadOfPrimary(long systemId) {
    for (Elsewhere each : elsewhere) {
      if (each.systemId == systemId) {
        return !each.isConfirmed || each.readAtNanos - each.confirmedAtNanos > 0;
      }
    }
    return false;
  }

  /** The primary shows all that this session had read from replicas by an instant. */
  synchronized void shownByPrimary(long systemId, long nowNanos) {
    for (Elsewhere each : elsewhere) {
      if (each.systemId == systemId
          && (!each.isConfirmed || nowNanos - each.confirmedAtNanos > 0)) {
        each.confirmedAtNanos = nowNanos;
        each.isConfirmed = true;
      }
    }
  }

  private void mark(ReadMark place, long readAtNanos) {
    for (Mark mark : marks) {
      if (mark.place.equals(place)) {
        mark.readUntil(readAtNanos);
        return;
      }
    }
    Mark[] more = Arrays.copyOf(marks, marks.length + 1);
    more[marks.length] = new Mark(place, readAtNanos);
    marks = more;
  }

  /**
   * Turns the marks on nodes that a view has looked at since into floors.
   *
   * <p>A look begun after an answer had come tells a position at or after everything that answer
   * showed. The primary's serves as well: no replica is ahead of it.
   */
  void settle(ShardView view) {
    for (Mark mark : marks) {
      if (floorOf(view, mark) != null) {
        settleUnderLock(view);
        return;
      }
    }
  }

  private synchronized void settleUnderLock(ShardView view) {
    Mark[] left = new Mark[marks.length];
    int count = 0;
    for (Mark mark : marks) {
      LogPosition floor = floorOf(view, mark);
      if (floor == null) {
        left[count++] = mark;
      } else {
        seen = seen.readUpTo(floor);
      }
    }
    marks = Arrays.copyOf(left, count);
  }

  private static @Nullable LogPosition floorOf(ShardView view, Mark mark) {
    NodeView primary = view.primary();
    for (int i = 0; i < view.size(); i++) {
      NodeView node = view.node(i);
      LogPosition position = node.position();
      if (position != null
          && node.isUp()
          && position.systemId() == mark.place.systemId()
          && node.seen().server() == mark.place.server()) {
        if (node.seen().askedAtNanos() - mark.readAtNanos <= 0) {
          // Not even by a look at the primary: this server may have been promoted in its place.
          return null;
        }
        if (node.isUp(Role.PRIMARY) || position.timeline() == view.latestTimeline()) {
          return position;
        }
        // It may have followed to the latest timeline without knowing that yet.
      }
    }
    LogPosition newest = primary == null ? null : primary.position();
    if (primary == null || newest == null) {
      return null;
    }
    boolean isLater = primary.seen().askedAtNanos() - mark.readAtNanos > 0;
    return isLater
            && newest.systemId() == mark.place.systemId()
            && newest.timeline() >= mark.place.timeline()
        ? newest
        : null;
  }

  /** Whether an answer of a node can neither miss a write of this session nor go behind a read. */
  boolean allows(ShardView view, NodeView node) {
    // Marks first: one that is settled meanwhile has left its floor behind before it went.
    return leadsTo(view, node) && view.covers(node, seen);
  }

  /** Whether an answer of a node that covers every position of this session would be allowed. */
  boolean leadsTo(ShardView view, NodeView node) {
    LogPosition position = node.position();
    for (Mark mark : marks) {
      if (position == null
          || (position.systemId() == mark.place.systemId()
              && !showsAllOf(view, node, position, mark.place))) {
        return false;
      }
    }
    return true;
  }

  /** The server itself only moves forward, and no replica is ahead of its primary. */
  private static boolean showsAllOf(
      ShardView view, NodeView node, LogPosition position, ReadMark place) {
    return position.systemId() == place.systemId()
        && (node.seen().server() == place.server()
            || (node.equals(view.primary()) && position.timeline() >= place.timeline()));
  }

  @Override
  public String toString() {
    return "Session[" + consistency + ", " + seen() + "]";
  }

  /** A session bound to a thread. Close it on the same thread, innermost first. */
  public interface Binding extends AutoCloseable {
    /** Restores the session that was current before. */
    @Override
    void close();
  }
}
