package dev.waymark.testkit;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/** One inline command to Redis; all the kit needs, so no client library. */
final class RedisCommand {

  private RedisCommand() {}

  /** The text of a simple or bulk answer. */
  static String send(Address redis, Duration limit, String command) throws IOException {
    int millis = Math.toIntExact(limit.toMillis());
    try (Socket socket = new Socket()) {
      socket.connect(new InetSocketAddress(redis.host(), redis.port()), millis);
      socket.setSoTimeout(millis);
      socket.getOutputStream().write((command + "\r\n").getBytes(StandardCharsets.US_ASCII));
      DataInputStream in = new DataInputStream(socket.getInputStream());
      String head = line(in);
      if (head.startsWith("-")) {
        throw new IOException("Redis refused " + command + ": " + head.substring(1));
      }
      if (!head.startsWith("$")) {
        return head.substring(1);
      }
      byte[] body = new byte[Integer.parseInt(head.substring(1))];
      in.readFully(body);
      return new String(body, StandardCharsets.UTF_8);
    }
  }

  private static String line(DataInputStream in) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c = in.read(); c != '\n'; c = in.read()) {
      if (c < 0) {
        throw new EOFException("Redis closed the connection");
      }
      if (c != '\r') {
        line.append((char) c);
      }
    }
    if (line.isEmpty()) {
      throw new IOException("Redis answered an empty line");
    }
    return line.toString();
  }
}
