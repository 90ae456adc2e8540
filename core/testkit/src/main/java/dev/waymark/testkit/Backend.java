package dev.waymark.testkit;

import java.sql.Connection;

/**
 * What a cluster's servers run on. Everything that SQL can do (promotion, re-pointing, replay) is
 * not in here but in {@link PostgresServer}, the same for every back end.
 *
 * <p>Threads may share a back end; each server's control is called by one thread at a time.
 */
interface Backend extends AutoCloseable {

  /** A PostgreSQL that has no data yet and does not run. */
  PostgresControl postgres(String name, PostgresSettings settings);

  /** A Redis that does not run yet. */
  ServerControl redis(String name);

  /** Ends every server and deletes every file. Idempotent; called also after a failed start. */
  @Override
  void close();

  /** One server's life. */
  interface ServerControl {

    /** Where this JVM reaches the server; it may change until the first start has returned. */
    Address address();

    /** Starts the server and returns when it accepts connections. */
    void start();

    /** SIGKILL for the server and all its processes; returns when they are gone. */
    void kill();

    /** The server's own orderly end. */
    void stop();

    /** SIGSTOP for the server and all its processes. */
    void freeze();

    /** SIGCONT for the server and all its processes. */
    void thaw();

    /** Whether the server's process exists, frozen or not. */
    boolean isRunning();

    /** Whether the server is held by {@link #freeze}. */
    boolean isFrozen();

    /** The process id of the running server. */
    long pid();

    /** The last lines the server wrote, for error messages. */
    String logTail();
  }

  /** What only a PostgreSQL needs: data, and a primary to follow. */
  interface PostgresControl extends ServerControl {

    /** Where the other servers of this cluster reach this one. */
    Address peerAddress();

    /** Makes an empty database with a system identifier of its own. */
    void initialise();

    /** Takes the data of a server that was initialised and never started. */
    void copyNeverStarted(PostgresControl source);

    /**
     * Replaces this stopped server's data by a copy of a running one.
     *
     * @param superuser a connection to {@code source}, kept open for the length of the copy
     */
    void copyOnline(PostgresControl source, Connection superuser);

    /** Makes this stopped server start as a standby of {@code primary}. */
    void standbyOf(PostgresControl primary);
  }
}
