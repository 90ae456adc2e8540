package dev.waymark.testkit;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What the nodes of one cluster have in common: database, roles and {@code postgresql.conf}.
 *
 * @param database the application's database
 * @param superuserPassword of {@link #SUPERUSER}
 * @param password of {@link #USER}
 * @param extra settings of the test's own, which win over ours
 */
record PostgresSettings(
    String database, String superuserPassword, String password, Map<String, String> extra) {

  static final String SUPERUSER = "postgres";
  static final String USER = "waymark";

  /** Settings that say who and where a node is; a test that changed them would lose the node. */
  private static final Set<String> OURS =
      Set.of(
          "cluster_name",
          "config_file",
          "data_directory",
          "hba_file",
          "listen_addresses",
          "logging_collector",
          "port",
          "primary_conninfo",
          "unix_socket_directories");

  /**
   * A standby must not be smaller than what the primary's control file says, and a copy that never
   * started carries the values of {@code initdb}: so it is told these as well.
   */
  private static final Set<String> IN_CONTROL_FILE =
      Set.of(
          "max_connections",
          "max_locks_per_transaction",
          "max_prepared_transactions",
          "max_wal_senders",
          "max_worker_processes",
          "wal_level");

  PostgresSettings {
    extra = Map.copyOf(extra);
  }

  static void checkExtra(String name, String value) {
    if (!name.matches("[a-z_][a-z0-9_]*(\\.[a-z_][a-z0-9_]*)?")) {
      throw new IllegalArgumentException(
          "'" + name + "' is not the name of a PostgreSQL setting (lower case, as in pg_settings)");
    }
    if (OURS.contains(name)) {
      throw new IllegalArgumentException(
          "Setting '" + name + "' is the cluster's own: it decides where its servers are");
    }
    if (value.indexOf('\n') >= 0 || value.indexOf('\r') >= 0) {
      throw new IllegalArgumentException("The value of setting '" + name + "' has a line break");
    }
  }

  /** Every setting that does not depend on the node, the test's own last. */
  Map<String, String> common() {
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("max_connections", "100");
    settings.put("wal_level", "logical");
    settings.put("max_wal_senders", "10");
    settings.put("max_replication_slots", "10");
    // Transactions that span shards are prepared first; the server's default is to refuse that.
    settings.put("max_prepared_transactions", "50");
    settings.put("shared_buffers", "16MB");
    // No worker processes for reads: nine nodes share a small machine.
    settings.put("io_method", "sync");
    // A killed process loses nothing without fsync; only a crash of the machine does.
    settings.put("fsync", "off");
    settings.put("full_page_writes", "off");
    settings.put("track_io_timing", "off");
    settings.put("wal_receiver_status_interval", "1s");
    settings.put("wal_retrieve_retry_interval", "200ms");
    // A replica that was down or frozen for a while must still find what it missed.
    settings.put("wal_keep_size", "512MB");
    settings.put("min_wal_size", "32MB");
    settings.put("log_line_prefix", "%m [%p] %q%u@%d ");
    settings.put("default_text_search_config", "pg_catalog.english");
    settings.putAll(extra);
    return settings;
  }

  List<String> initdbArguments() {
    List<String> arguments = new ArrayList<>();
    common()
        .forEach(
            (name, value) -> {
              if (IN_CONTROL_FILE.contains(name)) {
                arguments.add("-c");
                arguments.add(name + "=" + value);
              }
            });
    return arguments;
  }

  /** The whole {@code postgresql.conf} of one node. */
  String configurationFile(String node, Address address) {
    Map<String, String> settings = common();
    settings.put("listen_addresses", address.host());
    settings.put("port", Integer.toString(address.port()));
    settings.put("unix_socket_directories", "");
    settings.put("cluster_name", node);
    StringBuilder file = new StringBuilder();
    settings.forEach((name, value) -> file.append(assignment(name, value)));
    return file.toString();
  }

  /** The value of {@code primary_conninfo} for a standby. */
  static String primaryConnection(String standby, Address primary, String superuserPassword) {
    return "host=%s port=%d user=%s password=%s application_name=%s sslmode=disable gssencmode=disable"
        .formatted(primary.host(), primary.port(), SUPERUSER, superuserPassword, standby);
  }

  static String assignment(String name, String value) {
    return name + " = " + quoted(value) + "\n";
  }

  /** A literal, for the configuration file and for SQL alike. */
  static String quoted(String value) {
    return "'" + value.replace("'", "''") + "'";
  }

  /** Passwords stay out of what is printed. */
  @Override
  public String toString() {
    return "PostgresSettings[database=" + database + ", extra=" + extra + "]";
  }
}
