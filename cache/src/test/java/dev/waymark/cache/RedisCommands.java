package dev.waymark.cache;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Says a few words to a Redis directly, past everything that is tested. */
final class RedisCommands {
  private RedisCommands() {}

  /** Sends commands of plain words one after the other; returns the last one's first line. */
  static String send(String host, int port, String... commands) {
    try (Socket socket = new Socket(host, port)) {
      socket.setSoTimeout(10_000);
      OutputStream out = socket.getOutputStream();
      BufferedReader in =
          new BufferedReader(
              new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
      String answer = "";
      for (String command : commands) {
        out.write((command + "\r\n").getBytes(StandardCharsets.UTF_8));
        out.flush();
        answer = in.readLine();
      }
      return answer;
    } catch (IOException unreachable) {
      throw new UncheckedIOException(unreachable);
    }
  }

  /** Sends a command of plain words; returns the lines of the text that it answers with. */
  static List<String> lines(String host, int port, String command) {
    try (Socket socket = new Socket(host, port)) {
      socket.setSoTimeout(10_000);
      InputStream in = socket.getInputStream();
      socket.getOutputStream().write((command + "\r\n").getBytes(StandardCharsets.UTF_8));
      socket.getOutputStream().flush();
      StringBuilder length = new StringBuilder();
      for (int next = in.read(); next != '\n'; next = in.read()) {
        length.append((char) next);
      }
      byte[] text = in.readNBytes(Integer.parseInt(length.substring(1).trim()));
      return new String(text, StandardCharsets.UTF_8).lines().toList();
    } catch (IOException unreachable) {
      throw new UncheckedIOException(unreachable);
    }
  }

  /** Sends a command of plain words; returns the text that it answers with, "" for none. */
  static String bulk(String host, int port, String command) {
    try (Socket socket = new Socket(host, port)) {
      socket.setSoTimeout(10_000);
      BufferedReader in =
          new BufferedReader(
              new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
      socket.getOutputStream().write((command + "\r\n").getBytes(StandardCharsets.UTF_8));
      socket.getOutputStream().flush();
      return in.readLine().equals("$-1") ? "" : in.readLine();
    } catch (IOException unreachable) {
      throw new UncheckedIOException(unreachable);
    }
  }

  /** Sends a command of plain words; returns the lines of the text that it answers with. */
  static List<String> lines(String host, int port, String command) {
    try (Socket socket = new Socket(host, port)) {
      socket.setSoTimeout(10_000);
      BufferedReader in =
          new BufferedReader(
              new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
      socket.getOutputStream().write((command + "\r\n").getBytes(StandardCharsets.UTF_8));
      socket.getOutputStream().flush();
      int left = Integer.parseInt(in.readLine().substring(1));
      List<String> lines = new ArrayList<>();
      while (left > 0) {
        String line = in.readLine();
        left -= line.length() + 2;
        lines.add(line);
      }
      return lines;
    } catch (IOException unreachable) {
      throw new UncheckedIOException(unreachable);
    }
  }
}
