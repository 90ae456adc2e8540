package dev.waymark.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * The account PostgreSQL runs under. PostgreSQL refuses user id 0, and containers run tests as
 * root, so root needs a way down; an ordinary user needs nothing.
 */
enum ServerAccount {
  /** The JVM's own, ordinary user. */
  SAME("", false),
  /** User 65534, to whom the files must belong. Works in default containers. */
  NOBODY("setpriv --reuid=65534 --regid=65534 --clear-groups", true),
  /** An empty user namespace: the files stay root's. Refused in default containers. */
  NAMESPACE("unshare -U", false);

  private static final int NOBODY_ID = 65_534;
  private static final Duration QUICK = Duration.ofSeconds(10);

  private final String prefix;
  private final boolean ownsFiles;

  ServerAccount(String prefix, boolean ownsFiles) {
    this.prefix = prefix;
    this.ownsFiles = ownsFiles;
  }

  /** The first account that works here; each way is tried, since its command alone says nothing. */
  static ServerAccount find() {
    List<String> tried = new ArrayList<>();
    for (ServerAccount account : values()) {
      Command.Result id = Command.run(null, QUICK, account.command("id", "-u"));
      if (id.succeeded() && !id.output().equals("0")) {
        return account;
      }
      tried.add("'" + String.join(" ", account.command("id", "-u")) + "' gave " + id.output());
    }
    throw new IllegalStateException(
        "PostgreSQL refuses to run as root, and no way down was found: "
            + String.join("; ", tried)
            + ". Run the tests as an ordinary user, or install setpriv (package util-linux).");
  }

  List<String> command(String... command) {
    return command(List.of(command));
  }

  List<String> command(List<String> command) {
    if (prefix.isEmpty()) {
      return command;
    }
    List<String> all = new ArrayList<>(List.of(prefix.split(" ", -1)));
    all.addAll(command);
    return all;
  }

  /** Whether the account can go into a directory: /root, for one, is closed to others. */
  boolean canEnter(Path directory) {
    return Command.run(null, QUICK, command("sh", "-c", "cd \"$0\"", directory.toString()))
        .succeeded();
  }

  /** Gives a file the JVM made to the account. */
  void own(Path file) {
    if (!ownsFiles) {
      return;
    }
    try {
      Files.setAttribute(file, "unix:uid", NOBODY_ID, LinkOption.NOFOLLOW_LINKS);
      Files.setAttribute(file, "unix:gid", NOBODY_ID, LinkOption.NOFOLLOW_LINKS);
    } catch (IOException e) {
      throw new UncheckedIOException("Giving " + file + " to user " + NOBODY_ID, e);
    }
  }
}
