package dev.waymark.testkit;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * A port of 127.0.0.1 that leads to another server, with the faults networks have. Faults add up
 * and hold until {@link #heal}; each can be set while connections are open.
 *
 * <p>Threads may share it. Its own threads are daemons and end with {@link #close}.
 */
public final class TcpProxy implements AutoCloseable {

  private static final int CHUNK_BYTES = 16 * 1024;

  /** What may wait in the proxy per connection and direction before the sender is held up. */
  private static final int HELD_CHUNKS = 64;

  private static final int CONNECT_MILLIS = 5_000;

  private final InetSocketAddress target;
  private final int port;
  private final Set<Link> links = ConcurrentHashMap.newKeySet();

  /** Guards the listener; taken before a link where both are. */
  private final Object faults = new Object();

  private @Nullable Listener listener;

  // Set first, then every link is woken, whose threads look at these holding the link: so none
  // sleeps
  // through a change, and a chunk wakes only its own link.
  private volatile boolean closed;
  private volatile boolean holding;
  private volatile long latencyNanos;
  private volatile long bytesPerSecond;
  private volatile @Nullable Budget answerBudget;
  private final AtomicReference<byte @Nullable []> fatalAnswer = new AtomicReference<>();
  private volatile byte @Nullable [] lostAnswer;

  private TcpProxy(InetSocketAddress target) throws IOException {
    this.target = target;
    ServerSocket first = new ServerSocket(0, 50, Address.loopback());
    this.port = first.getLocalPort();
    listen(first);
  }

  /**
   * Opens a proxy on a free port. The server behind it need not run yet.
   *
   * @throws UncheckedIOException if no port can be had
   */
  public static TcpProxy to(String host, int port) {
    try {
      return new TcpProxy(new InetSocketAddress(host, port));
    } catch (IOException e) {
      throw new UncheckedIOException("Opening a proxy to " + host + ":" + port, e);
    }
  }

  /** The proxy's own port on 127.0.0.1; it stays the same through {@link #refuse} and heal. */
  public int port() {
    return port;
  }

  /**
   * Answers reach the client this much later than the server gave them; requests are not delayed,
   * so this is what a round trip takes longer. Zero for none.
   */
  public void latency(Duration added) {
    if (added.isNegative()) {
      throw new IllegalArgumentException("A latency of " + added + " is negative");
    }
    change(() -> latencyNanos = added.toNanos());
  }

  /** The most that each connection carries in each direction; zero for no limit. */
  public void bandwidth(long bytesPerSecond) {
    if (bytesPerSecond < 0) {
      throw new IllegalArgumentException("A bandwidth of " + bytesPerSecond + " is negative");
    }
    change(() -> this.bytesPerSecond = bytesPerSecond);
  }

  /**
   * Nothing passes any more, in open connections and new ones, which are still accepted. Nothing is
   * lost either: as after a mended partition, it all goes on with {@link #heal}.
   */
  public void blackHole() {
    change(() -> holding = true);
  }

  /** New connections are refused; open ones go on. */
  public void refuse() {
    Listener open;
    synchronized (faults) {
      open = listener;
      listener = null;
    }
    end(open);
  }

  /** Resets every open connection, on both sides. */
  public void cut() {
    links.forEach(Link::reset);
  }

  /**
   * Each connection, open or new, is reset once this many more bytes of answers have passed; with
   * zero before the next answer.
   */
  public void cutAnswersAfter(long bytes) {
    if (bytes < 0) {
      throw new IllegalArgumentException("Cutting after " + bytes + " bytes is not possible");
    }
    change(() -> answerBudget = new Budget(bytes));
  }

  /**
   * Swallows the next answer with this text in it and resets its connection, once: with {@code
   * COMMIT}, the transaction is committed and its client never told.
   *
   * @param ascii as it appears on the wire; a PostgreSQL answer ends with the command's name
   */
  public void cutNextAnswerContaining(String ascii) {
    if (ascii.isEmpty()) {
      throw new IllegalArgumentException("Every answer contains the empty text");
    }
    change(() -> fatalAnswer.set(ascii.getBytes(StandardCharsets.US_ASCII)));
  }

  /**
   * Loses every answer with this text in it while its connection goes on, as a channel of messages
   * does that nobody notices to be deaf. What arrives together is lost together.
   *
   * @param ascii as it appears on the wire; an answer of more than 16 KiB, or one whose parts
   *     arrive apart, is lost in part
   */
  public void loseAnswersContaining(String ascii) {
    if (ascii.isEmpty()) {
      throw new IllegalArgumentException("Every answer contains the empty text");
    }
    change(() -> lostAnswer = ascii.getBytes(StandardCharsets.US_ASCII));
  }

  /**
   * Ends every fault; what was held goes on, what was lost stays lost. Connections that were cut
   * stay cut.
   *
   * @throws UncheckedIOException if somebody took the port while it was refusing
   */
  public void heal() {
    synchronized (faults) {
      holding = false;
      latencyNanos = 0;
      bytesPerSecond = 0;
      answerBudget = null;
      fatalAnswer.set(null);
      lostAnswer = null;
      if (listener == null && !closed) {
        try {
          listen(new ServerSocket(port, 50, Address.loopback()));
        } catch (IOException e) {
          throw new UncheckedIOException("Listening again on port " + port, e);
        }
      }
    }
    links.forEach(Link::wake);
  }

  /** Resets every connection and gives the port back. Closing again does nothing. */
  @Override
  public void close() {
    Listener open;
    synchronized (faults) {
      closed = true;
      open = listener;
      listener = null;
    }
    end(open);
    links.forEach(Link::reset);
  }

  @Override
  public String toString() {
    return "TcpProxy[127.0.0.1:" + port + " -> " + target + "]";
  }

  private void change(Runnable fault) {
    fault.run();
    links.forEach(Link::wake);
  }

  private record Listener(ServerSocket socket, Thread acceptor) {}

  private void listen(ServerSocket socket) {
    listener = new Listener(socket, daemon("accept", () -> acceptAll(socket)));
  }

  /**
   * Returns when the port refuses. That is later than the socket's close: until the accepting
   * thread has woken up, the kernel keeps the port open for it.
   */
  private static void end(@Nullable Listener listener) {
    if (listener != null) {
      closeQuietly(listener.socket());
      try {
        listener.acceptor().join();
      } catch (InterruptedException e) {
        throw Waiting.interrupted(e);
      }
    }
  }

  private void acceptAll(ServerSocket socket) {
    try {
      while (true) {
        Socket client = socket.accept();
        // Connecting may take its time; the next client does not wait for it.
        daemon("connect", () -> connect(client));
      }
    } catch (IOException listenerClosed) {
      // By refuse() or close().
    }
  }

  private void connect(Socket client) {
    Socket server = new Socket();
    Link link = new Link(client, server);
    links.add(link);
    try {
      awaitFlow(link);
      client.setTcpNoDelay(true);
      server.setTcpNoDelay(true);
      server.connect(target, CONNECT_MILLIS);
      link.start();
    } catch (IOException e) {
      // The nearest to a refusal that is left once the client's connection was accepted.
      link.reset();
    }
  }

  /** Waits out a black hole. */
  private void awaitFlow(Link link) throws IOException {
    synchronized (link) {
      while (holding && !closed && !link.ended) {
        link.waitForChange(0);
      }
      if (closed || link.ended) {
        throw new IOException("cut");
      }
    }
  }

  private Thread daemon(String what, Runnable task) {
    Thread thread = new Thread(task, "waymark-testkit-proxy-" + port + "-" + what);
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  private static void closeQuietly(Closeable socket) {
    try {
      socket.close();
    } catch (IOException e) {
      // Nothing is left to do with it.
    }
  }

  /** One client's connection and ours to the server for it. */
  private final class Link {
    private final Socket client;
    private final Socket server;
    private volatile boolean ended;

    /** Answers passed on under {@link #budget}; for the one thread that writes them. */
    private long answerBytes;

    private @Nullable Budget budget;

    Link(Socket client, Socket server) {
      this.client = client;
      this.server = server;
    }

    void start() {
      new Pump(this, client, server, Direction.REQUESTS).start();
      new Pump(this, server, client, Direction.ANSWERS).start();
    }

    /** Closes with a TCP reset instead of an orderly end. */
    void reset() {
      ended = true;
      links.remove(this);
      for (Socket socket : new Socket[] {client, server}) {
        try {
          socket.setSoLinger(true, 0);
        } catch (IOException alreadyClosed) {
          // Then there is nothing to reset.
        }
        closeQuietly(socket);
      }
      wake();
    }

    synchronized void wake() {
      notifyAll();
    }

    /** The caller holds this link, asks again afterwards, and so may be woken for nothing. */
    @SuppressWarnings("WaitNotInLoop") // The loops are the callers', each with its own question.
    void waitForChange(long millis) {
      try {
        wait(millis);
      } catch (InterruptedException e) {
        throw Waiting.interrupted(e);
      }
    }
  }

  /** How many bytes of answers may pass; each one that is set is another. */
  private static final class Budget {
    private final long bytes;

    Budget(long bytes) {
      this.bytes = bytes;
    }
  }

  private enum Direction {
    REQUESTS,
    ANSWERS
  }

  /** Bytes read, and when they may go on. An empty chunk is the end of the stream. */
  private static final class Chunk {
    private final byte[] bytes;
    private final long dueNanos;

    Chunk(byte[] bytes, long dueNanos) {
      this.bytes = bytes;
      this.dueNanos = dueNanos;
    }
  }

  /**
   * One direction of a connection: one thread reads, one writes, so that latency delays each byte
   * without slowing down the stream.
   */
  private final class Pump {
    private final Link link;
    private final Socket from;
    private final Socket to;
    private final Direction direction;
    private final Deque<Chunk> held = new ArrayDeque<>();

    /** The last bytes seen, for a text that two chunks share. */
    private byte[] seen = new byte[0];

    Pump(Link link, Socket from, Socket to, Direction direction) {
      this.link = link;
      this.from = from;
      this.to = to;
      this.direction = direction;
    }

    void start() {
      daemon("read", () -> untilEnd(this::read));
      daemon("write", () -> untilEnd(this::write));
    }

    private void untilEnd(Transfer transfer) {
      try {
        transfer.run();
      } catch (IOException e) {
        // A reset on one side becomes one on the other.
        link.reset();
      }
    }

    private void read() throws IOException {
      InputStream in = from.getInputStream();
      byte[] buffer = new byte[CHUNK_BYTES];
      for (int count = in.read(buffer); ; count = in.read(buffer)) {
        byte[] bytes = new byte[Math.max(0, count)];
        System.arraycopy(buffer, 0, bytes, 0, bytes.length);
        synchronized (link) {
          while (held.size() >= HELD_CHUNKS && !link.ended) {
            link.waitForChange(0);
          }
          long delay = direction == Direction.ANSWERS ? latencyNanos : 0;
          held.add(new Chunk(bytes, System.nanoTime() + delay));
          link.wake();
        }
        if (count < 0) {
          return;
        }
      }
    }

    private void write() throws IOException {
      OutputStream out = to.getOutputStream();
      while (true) {
        byte[] bytes = next();
        if (bytes.length == 0) {
          to.shutdownOutput();
          return;
        }
        boolean cutAfterwards = false;
        if (direction == Direction.ANSWERS) {
          if (isLost(bytes)) {
            continue;
          }
          if (isFatal(bytes)) {
            throw new IOException("cut");
          }
          int allowed = allowance(bytes.length);
          cutAfterwards = allowed < bytes.length;
          bytes = Arrays.copyOf(bytes, allowed);
        }
        writeWithin(out, bytes);
        if (cutAfterwards) {
          throw new IOException("cut");
        }
      }
    }

    /** The next chunk that is due, while no black hole holds it. */
    private byte[] next() throws IOException {
      synchronized (link) {
        while (true) {
          if (link.ended || closed) {
            throw new IOException("cut");
          }
          Chunk first = held.peek();
          if (first == null || holding) {
            link.waitForChange(0);
            continue;
          }
          long early = first.dueNanos - System.nanoTime();
          if (early > 0 && latencyNanos > 0) {
            link.waitForChange(early / 1_000_000 + 1);
            continue;
          }
          held.remove();
          if (held.size() == HELD_CHUNKS - 1) {
            link.wake();
          }
          return first.bytes;
        }
      }
    }

    private void writeWithin(OutputStream out, byte[] bytes) throws IOException {
      for (int sent = 0; sent < bytes.length; ) {
        long limit = bytesPerSecond;
        // Slices of a twentieth of a second: slow, but not in bursts.
        long slice = limit == 0 ? bytes.length : Math.max(1, limit / 20);
        int length = (int) Math.min(bytes.length - sent, slice);
        if (limit > 0) {
          pauseFor(length * 1_000_000_000L / limit);
        }
        out.write(bytes, sent, length);
        sent += length;
      }
      out.flush();
    }

    /** Ends early when the limit is lifted or the connection cut. */
    private void pauseFor(long nanos) throws IOException {
      long end = System.nanoTime() + nanos;
      synchronized (link) {
        for (long left = nanos; left > 0 && bytesPerSecond > 0; left = end - System.nanoTime()) {
          if (link.ended) {
            throw new IOException("cut");
          }
          link.waitForChange(left / 1_000_000 + 1);
        }
      }
    }

    private int allowance(int length) {
      Budget now = answerBudget;
      if (now != link.budget) {
        // Set anew: it counts from here.
        link.budget = now;
        link.answerBytes = 0;
      }
      if (now == null) {
        return length;
      }
      int allowed = (int) Math.min(length, now.bytes - link.answerBytes);
      link.answerBytes += allowed;
      return allowed;
    }

    private boolean isLost(byte[] bytes) {
      byte[] text = lostAnswer;
      return text != null && indexOf(bytes, text) >= 0;
    }

    private boolean isFatal(byte[] bytes) {
      byte[] text = fatalAnswer.get();
      if (text == null) {
        seen = new byte[0];
        return false;
      }
      byte[] window = new byte[seen.length + bytes.length];
      System.arraycopy(seen, 0, window, 0, seen.length);
      System.arraycopy(bytes, 0, window, seen.length, bytes.length);
      if (indexOf(window, text) >= 0 && fatalAnswer.compareAndSet(text, null)) {
        return true;
      }
      int keep = Math.min(window.length, text.length - 1);
      seen = Arrays.copyOfRange(window, window.length - keep, window.length);
      return false;
    }
  }

  private interface Transfer {
    void run() throws IOException;
  }

  private static int indexOf(byte[] bytes, byte[] text) {
    for (int start = 0; start + text.length <= bytes.length; start++) {
      if (Arrays.equals(bytes, start, start + text.length, text, 0, text.length)) {
        return start;
      }
    }
    return -1;
  }
}
