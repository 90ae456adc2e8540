package dev.waymark.testkit;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A PostgreSQL in a container, with its data on the cluster's volume. */
final class DockerPostgres extends DockerServer implements Backend.PostgresControl {

  private static final int PORT = 5432;

  private final PostgresSettings settings;

  DockerPostgres(DockerBackend backend, String name, PostgresSettings settings) {
    super(backend, name);
    this.settings = settings;
  }

  @Override
  String title() {
    return "PostgreSQL " + name;
  }

  @Override
  String orderlyEnd() {
    return "INT";
  }

  @Override
  DockerEngine.Plan plan(int port) {
    return new DockerEngine.Plan(
        name,
        backend.postgresImage(),
        backend.entrypoint(),
        List.of("serve", name),
        new DockerEngine.Published(PORT, port),
        true);
  }

  @Override
  public Address peerAddress() {
    return new Address(name, PORT);
  }

  @Override
  public void initialise() {
    List<String> initdb = new ArrayList<>(List.of("-U", PostgresSettings.SUPERUSER));
    initdb.addAll(List.of("-A", "scram-sha-256"));
    initdb.addAll(List.of("-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions"));
    initdb.addAll(settings.initdbArguments());
    backend.task(
        name,
        Map.of(
            "WAYMARK_PASSWORD",
            settings.superuserPassword(),
            // From everywhere: who comes through the published port has the gateway's address.
            "WAYMARK_ACCESS",
            """
            host all         all all scram-sha-256
            host replication all all scram-sha-256
            """,
            "WAYMARK_CONFIGURATION",
            configuration()),
        "initdb",
        initdb);
  }

  private String configuration() {
    return settings.configurationFile(name, new Address("0.0.0.0", PORT));
  }

  @Override
  public void copyNeverStarted(Backend.PostgresControl source) {
    copy(source, List.of());
  }

  @Override
  public void copyOnline(Backend.PostgresControl source, Connection superuser) {
    try (Statement statement = superuser.createStatement()) {
      statement.execute("SELECT pg_backup_start('copy for " + name + "', fast => true)");
      copy(source, List.of("pg_wal", "pg_replslot", "postmaster.pid"));
      try (ResultSet label =
          statement.executeQuery("SELECT labelfile FROM pg_backup_stop(false)")) {
        label.next();
        // Without the label the copy would start from the wrong checkpoint and be silently broken.
        put("backup_label", label.getString(1));
      }
    } catch (SQLException e) {
      throw new IllegalStateException(
          "Copying %s to %s failed: %s"
              .formatted(((DockerPostgres) source).name, name, e.getMessage()),
          e);
    }
  }

  private void copy(Backend.PostgresControl source, List<String> without) {
    List<String> arguments = new ArrayList<>(List.of(((DockerPostgres) source).name));
    arguments.addAll(without);
    backend.task(name, Map.of("WAYMARK_CONFIGURATION", configuration()), "copy", arguments);
  }

  @Override
  public void standbyOf(Backend.PostgresControl primary) {
    put("standby.signal", "");
    String connection =
        PostgresSettings.primaryConnection(
            name, primary.peerAddress(), settings.superuserPassword());
    // The file ALTER SYSTEM writes, so that a later follow() replaces this and does not lose to it.
    put("postgresql.auto.conf", PostgresSettings.assignment("primary_conninfo", connection));
  }

  private void put(String file, String text) {
    backend.task(name, Map.of("WAYMARK_TEXT", text), "put", List.of(file));
  }

  @Override
  boolean isReady() {
    try {
      PostgresServer.connect(address(), settings, "postgres", 2).close();
      return true;
    } catch (SQLException notYet) {
      return false;
    }
  }
}
