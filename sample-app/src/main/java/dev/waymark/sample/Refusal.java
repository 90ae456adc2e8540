package dev.waymark.sample;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** The client asked for something it cannot have; nothing was written. */
final class Refusal extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final Problem problem;
  private final transient List<Fault> faults;
  private final transient Map<String, String> headers = new LinkedHashMap<>();

  private Refusal(Problem problem, String detail, List<Fault> faults) {
    // Refusals are ordinary answers: nobody looks at their stack.
    super(detail, null, false, false);
    this.problem = problem;
    this.faults = List.copyOf(faults);
  }

  static Refusal of(Problem problem, String detail) {
    return new Refusal(problem, detail, List.of());
  }

  static Refusal invalidInput(List<Fault> faults) {
    return new Refusal(
        Problem.INVALID_INPUT, "The request cannot be taken as it is: see its faults.", faults);
  }

  static Refusal invalidJson(String detail) {
    return of(Problem.INVALID_JSON, detail);
  }

  static Refusal noSuchUser(long id) {
    return of(Problem.NO_SUCH_USER, "There is no user " + id + ".");
  }

  static Refusal noSuchOrder(long userId, long id) {
    return of(Problem.NO_SUCH_ORDER, "User " + userId + " has no order " + id + ".");
  }

  static Refusal emailTaken() {
    return new Refusal(
        Problem.EMAIL_TAKEN,
        "Another user has this e-mail address.",
        List.of(new Fault("email", "is taken")));
  }

  /** A shard that is slower than others wait for: not the address' fault, nor the client's. */
  static Refusal tooSlow() {
    return of(
            Problem.UNAVAILABLE,
            "The e-mail address could not be reserved for long enough. Nothing was written.")
        .with("Retry-After", "1");
  }

  /** With a header of the answer. */
  Refusal with(String header, String value) {
    headers.put(header, value);
    return this;
  }

  Problem problem() {
    return problem;
  }

  int status() {
    return problem.status();
  }

  String detail() {
    return Objects.requireNonNull(getMessage());
  }

  List<Fault> faults() {
    return faults;
  }

  Map<String, String> headers() {
    return headers;
  }
}
