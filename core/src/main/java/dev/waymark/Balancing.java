package dev.waymark;

/** How reads are spread over the replicas that may answer them. */
public enum Balancing {
  /** The better of two random ones by peak-EWMA latency and reads in flight. */
  PEAK_EWMA("peakEwma"),
  /** The one with the fewest reads in flight from this process. */
  LEAST_CONNECTIONS("leastConnections"),
  /** Each in turn. */
  ROUND_ROBIN("roundRobin"),
  /** The same key goes to the same node while that node may answer. */
  RENDEZVOUS("rendezvous"),
  /**
   * The same client goes to the same node while that node may answer. Who the client is, its
   * session says; calls without one go by their key.
   */
  RENDEZVOUS_BY_CLIENT("rendezvousByClient");

  private final String setting;

  Balancing(String setting) {
    this.setting = setting;
  }

  /** The name in {@code waymark.yaml}. */
  public String setting() {
    return setting;
  }
}
