package dev.waymark;

/**
 * The decision for one operation: where it goes and why. A value that can be printed and compared.
 *
 * @param shard the shard that owns the key
 * @param node the node chosen
 * @param role the node's role when it was chosen
 * @param reason why this node
 * @param mapVersion the version of the shard map the decision was made with
 */
public record Route(String shard, String node, Role role, Reason reason, long mapVersion) {

  /** Why a node was chosen. */
  public enum Reason {
    /** Writes go to the primary. */
    WRITE("writes go to the primary"),
    /** Strong consistency was asked for. */
    STRONG("strong consistency was asked for"),
    /** A replica's replay position covers what the consistency asks. */
    REPLICA_IS_FRESH("the replica's replay position covers what the read must see"),
    /** A replica said, asked on the read's own connection, that it has what the read must see. */
    REPLICA_WAS_ASKED("the replica was asked and has replayed what the read must see"),
    /** Every replica lags beyond its limit, and the settings prefer an old answer to none. */
    REPLICA_LAGS("every replica lags beyond its limit; by the settings one of them answers"),
    /** A second node was asked because the first one took long. */
    HEDGED("the first node took long, so another one was asked as well"),
    /** No replica's known position covers what the read must see. */
    NO_REPLICA_IS_FRESH("no replica is known to have replayed what the read must see"),
    /** Every replica lags beyond the limits of {@code lag}. */
    REPLICAS_LAG("every replica lags beyond its limit"),
    /** No replica can be reached, or the shard has none. */
    NO_REPLICA_IS_UP("no replica is up");

    private final String sentence;

    Reason(String sentence) {
      this.sentence = sentence;
    }

    /** The reason for a person to read. */
    public String sentence() {
      return sentence;
    }
  }

  @Override
  public String toString() {
    return shard
        + " / "
        + node
        + " ("
        + (role == Role.PRIMARY ? "primary" : "replica")
        + "): "
        + reason.sentence()
        + "; shard map version "
        + mapVersion;
  }
}
