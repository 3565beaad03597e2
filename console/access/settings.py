"""Settings of sign-in and sessions."""

from pydantic import BaseModel, Field, SecretStr, field_validator

SECRET_CHARACTERS_MIN = 32


class SignInSettings(BaseModel, frozen=True):
    """What the console is at the issuer, EVENTS_ACCESS__ISSUER."""

    client_id: str = Field("console", description="The console's client at the issuer.")
    client_secret: SecretStr = Field(
        SecretStr(""), description="Its secret; empty for a public client, which has PKCE alone."
    )
    scopes: tuple[str, ...] = Field(
        ("openid", "offline_access", "authentication"),
        description="What is asked for, as JSON: `openid`, the API's scope, and `offline_access` where"
        " the issuer wants that for a refresh token.",
    )
    parameters: dict[str, str] = Field(
        default_factory=dict,
        description="More parameters of the authorization request, as JSON, such as an `audience`.",
    )
    timeout_s: float = Field(5, gt=0, description="Deadline of one answer of the issuer.")


class SessionSettings(BaseModel, frozen=True):
    """How long somebody stays signed in, and what seals the cookie."""

    secret: SecretStr = Field(
        SecretStr(""),
        description="Seals sessions, 32 characters or more, the same for all processes of the console;"
        " without one nobody can sign in.",
    )
    previous_secret: SecretStr = Field(
        SecretStr(""), description="The one before, while sessions that it sealed go on."
    )
    idle_s: float = Field(8 * 3600, gt=0, description="How long a session lasts without a request.")
    lifetime_s: float = Field(
        24 * 3600, gt=0, description="How long a session lasts in all; then one signs in again."
    )

    @field_validator("secret", "previous_secret")
    @classmethod
    def _is_long_enough(cls, secret: SecretStr) -> SecretStr:
        if 0 < (length := len(secret)) < SECRET_CHARACTERS_MIN:
            raise ValueError(f"must have {SECRET_CHARACTERS_MIN} characters or more, has {length}")
        return secret

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that open a cookie; the first seals."""
        both = (self.secret.get_secret_value(), self.previous_secret.get_secret_value())
        return tuple(each for each in both if each)
