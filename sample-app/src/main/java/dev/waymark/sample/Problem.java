package dev.waymark.sample;

import java.util.Locale;

/**
 * Everything that a request can be refused with or fail by. The {@code type} of a problem document
 * (RFC 9457) is {@code /problems/} and its code; what stands here is what a client finds there.
 */
enum Problem {
  INVALID_JSON(400, "The body is not one JSON object", "Send one JSON object, each field once."),
  INVALID_INPUT(
      400,
      "Values are wrong, missing or unknown",
      "Mend everything that 'faults' lists; it lists all there is."),
  VERSION_CONFLICT(
      400,
      "The request asks for two versions at once",
      "Say the version in one place: the path, the header Api-Version, or the parameter version."),
  UNKNOWN_VERSION(400, "There is no such version of the API", "Ask for version 1 or 2."),
  UNAUTHORIZED(
      401, "A token is needed", "Send the service's token: Authorization: Bearer <token>."),
  NO_SUCH_PATH(404, "There is nothing at this path", "See /openapi.json for what there is."),
  NO_SUCH_USER(404, "There is no such user", "Ask for another one, or create one."),
  NO_SUCH_ORDER(404, "There is no such order", "See the user's orders for what there is."),
  NO_SHARD_OWNS_KEY(
      404, "No user can have this id", "The id lies outside of every shard's key ranges."),
  METHOD_NOT_ALLOWED(
      405, "This path takes other methods only", "The header Allow says which it takes."),
  REQUEST_TIMEOUT(
      408, "The request came too slowly", "Send the whole body within the time; nothing was done."),
  EMAIL_TAKEN(
      409,
      "Another user has this e-mail address",
      "Use another address. If the other user is being created right now and that fails, the"
          + " address becomes free again within a minute."),
  PRECONDITION_FAILED(
      412,
      "The resource is not what the request is for",
      "Somebody else changed it. Read it again, and repeat with the ETag that comes then."),
  BODY_TOO_LARGE(413, "The body is too large", "Send less."),
  UNSUPPORTED_MEDIA_TYPE(
      415, "The body is not JSON in UTF-8", "Send the Content-Type that the description asks for."),
  IDEMPOTENCY_KEY_REUSED(
      422,
      "The Idempotency-Key was used for another request",
      "Use a new key for each new thing; repeat a request exactly to get its answer again."),
  PRECONDITION_REQUIRED(
      428,
      "The request must say which version it changes",
      "Send If-Match with the ETag that you have read, or * for whatever is there."),
  TOO_MANY_REQUESTS(429, "Too many requests of one client", "Wait as long as Retry-After says."),
  REFUSED(400, "The request was refused", "See 'detail'."),
  INTERNAL(
      500, "Something went wrong here", "Tell the operator the request id: the log has the rest."),
  UNAVAILABLE(
      503,
      "A shard cannot answer now",
      "'outcome' says what became of a write. Repeat if Retry-After is there: then it does no"
          + " harm."),
  NOT_READY(503, "The service is not ready", "Ask another instance.");

  private final int status;
  private final String title;
  private final String advice;

  Problem(int status, String title, String advice) {
    this.status = status;
    this.title = title;
    this.advice = advice;
  }

  /** What a program tells it by; it stays the same when the words change. */
  String code() {
    return name().toLowerCase(Locale.ROOT);
  }

  int status() {
    return status;
  }

  String title() {
    return title;
  }

  String advice() {
    return advice;
  }
}
