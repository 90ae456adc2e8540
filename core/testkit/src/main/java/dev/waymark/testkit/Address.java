package dev.waymark.testkit;

import java.net.InetAddress;
import java.net.UnknownHostException;

/** Where a server listens. */
record Address(String host, int port) {

  Address {
    if (host.isBlank()) {
      throw new IllegalArgumentException("A server's host is blank");
    }
    if (port < 1 || port > 65_535) {
      throw new IllegalArgumentException("Port " + port + " is not in 1..65535");
    }
  }

  /** By number: names may lead elsewhere, and the JVM's own loopback may be the one of IPv6. */
  static InetAddress loopback() {
    try {
      return InetAddress.getByAddress(new byte[] {127, 0, 0, 1});
    } catch (UnknownHostException e) {
      throw new AssertionError("Four bytes are an address", e);
    }
  }

  @Override
  public String toString() {
    return host + ":" + port;
  }
}
