package dev.waymark;

import java.util.List;

/**
 * The settings that each kind of map in {@code waymark.yaml} may hold: what the reader refuses the
 * unknown by, and what the tests hold the JSON Schema and the settings page against.
 */
enum ConfigSection {
  ROOT(
      "version",
      "tables",
      "shards",
      "ranges",
      "credentials",
      "pool",
      "calls",
      "reads",
      "hedging",
      "lag",
      "monitor",
      "session",
      "errors",
      "redis",
      "changes"),
  TABLE("key", "broadcast"),
  SHARD("nodes"),
  NODE("url", "name", "zone", "weight"),
  RANGE("from", "to", "shard"),
  CREDENTIALS("user", "password"),
  POOL("size", "connectTimeout", "acquireTimeout"),
  CALLS("deadline", "consistency"),
  READS("balancing", "zone", "slowStart", "freshnessWait"),
  HEDGING("budget", "percentile", "minimumDelay"),
  LAG(
      "preferred",
      "tolerated",
      "preferredBytes",
      "toleratedBytes",
      "minimumServing",
      "whenAllLag",
      "primaryReads"),
  MONITOR("interval", "timeout", "idleInterval", "looksPerSecond"),
  SESSION("secret"),
  ERRORS("keys"),
  REDIS("url", "user", "password", "trustStore", "timeout", "namespace"),
  CHANGES("enabled", "slot", "publication", "tables", "interval", "timeout", "retain", "rows");

  @SuppressWarnings("ImmutableEnumChecker") // made by List.of
  private final List<String> settings;

  ConfigSection(String... settings) {
    this.settings = List.of(settings);
  }

  List<String> settings() {
    return settings;
  }
}
