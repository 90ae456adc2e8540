package dev.waymark;

/**
 * That a session has read from a server, at a place of its log which nobody has looked up yet.
 * Whoever resumes the session stays with that server, asks the primary, or looks the place up.
 *
 * @param systemId PostgreSQL's system identifier
 * @param timeline the timeline that the server was known to be on; at least 1
 * @param server which of the system's servers, and since which of its starts: the time of its start
 *     in microseconds
 */
public record ReadMark(long systemId, int timeline, long server) {
  /** Checks the timeline. */
  public ReadMark {
    if (timeline < 1) {
      throw new IllegalArgumentException("A timeline is at least 1, not " + timeline);
    }
  }
}
