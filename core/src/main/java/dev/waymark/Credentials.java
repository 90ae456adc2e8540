package dev.waymark;

import java.util.Objects;

/**
 * A user name and a password. Printing it never shows the password.
 *
 * @param user the name
 * @param password may be empty, where the server trusts the connection
 */
public record Credentials(String user, String password) {
  /** Checks that both are present. */
  public Credentials {
    Objects.requireNonNull(user, "user");
    Objects.requireNonNull(password, "password");
  }

  @Override
  public String toString() {
    return "Credentials[user=" + user + ", password=(hidden)]";
  }
}
