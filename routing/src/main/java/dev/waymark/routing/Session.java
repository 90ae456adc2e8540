package dev.waymark.routing;

import dev.waymark.Consistency;
import dev.waymark.LogPosition;
import dev.waymark.SessionToken;
import dev.waymark.SessionTokenFormat;
import org.jspecify.annotations.Nullable;

/**
 * One client's view of time: what it has written, so that its later reads do not miss it. Bind it
 * to the thread that works for the client; carry it elsewhere as {@link #token()}. Safe to share
 * between threads that work for the same client.
 */
public final class Session {
  private final ThreadLocal<@Nullable Session> current;
  private final SessionTokenFormat format;
  private final Consistency consistency;

  /** Written under this object's lock, so that no advance is lost to another. */
  private volatile SessionToken seen;

  Session(
      ThreadLocal<@Nullable Session> current,
      SessionTokenFormat format,
      Consistency consistency,
      SessionToken seen) {
    this.current = current;
    this.format = format;
    this.consistency = consistency;
    this.seen = seen;
  }

  /** What this session has seen, as text that another process can resume from. */
  public String token() {
    return format.print(seen);
  }

  /** What this session has seen. */
  public SessionToken seen() {
    return seen;
  }

  /** What reads of this session see if the call says nothing else. */
  public Consistency consistency() {
    return consistency;
  }

  /** Makes this the current session of the calling thread until the binding is closed. */
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

  /** Also covers what another session has seen. */
  public synchronized void join(SessionToken other) {
    seen = seen.join(other);
  }

  synchronized void wrote(LogPosition position) {
    seen = seen.succeededBy(position);
  }

  @Override
  public String toString() {
    return "Session[" + consistency + ", " + seen + "]";
  }

  /** A session bound to a thread. Close it on the same thread, innermost first. */
  public interface Binding extends AutoCloseable {
    /** Restores the session that was current before. */
    @Override
    void close();
  }
}
