package dev.waymark.sample;

import java.util.List;

/** The client asked for something it cannot have; nothing was written. */
final class Refusal extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int status;
  private final String code;
  private final transient List<Fault> faults;

  private Refusal(int status, String code, String message, List<Fault> faults) {
    // Refusals are ordinary answers: nobody looks at their stack.
    super(message, null, false, false);
    this.status = status;
    this.code = code;
    this.faults = List.copyOf(faults);
  }

  static Refusal invalidInput(List<Fault> faults) {
    return new Refusal(400, "invalid_input", "The request cannot be taken as it is.", faults);
  }

  static Refusal invalidJson(String message) {
    return new Refusal(400, "invalid_json", message, List.of());
  }

  static Refusal noSuchUser(long id) {
    return new Refusal(404, "no_such_user", "There is no user " + id + ".", List.of());
  }

  static Refusal noSuchOrder(long userId, long id) {
    return new Refusal(
        404, "no_such_order", "User " + userId + " has no order " + id + ".", List.of());
  }

  static Refusal emailTaken() {
    return new Refusal(
        409,
        "email_taken",
        "Another user has this e-mail address.",
        List.of(new Fault("email", "is taken")));
  }

  static Refusal notJson() {
    return new Refusal(
        415,
        "unsupported_media_type",
        "Send the body as Content-Type: application/json, in UTF-8.",
        List.of());
  }

  int status() {
    return status;
  }

  /** Which refusal this is, for a program to read; it stays the same when the message changes. */
  String code() {
    return code;
  }

  List<Fault> faults() {
    return faults;
  }
}
