"""What the provider says of people."""

from django.conf import settings
from oauth2_provider.oauth2_validators import OAuth2Validator


class Validator(OAuth2Validator):
    """Adds the claims of the person. The user name is the subject."""

    #: Claims are given whatever the scopes.
    oidc_claim_scope = None

    def get_additional_claims(self, request):
        name = request.user.username
        return {"sub": name, **settings.GIVEN["people"][name]["claims"]}
