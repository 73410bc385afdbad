//! The server's own credentials: those of its task role.

use aws_config::{
    ecs::EcsCredentialsProvider, environment::EnvironmentVariableCredentialsProvider,
    imds::credentials::ImdsCredentialsProvider, meta::credentials::CredentialsProviderChain,
    web_identity_token::WebIdentityTokenCredentialsProvider,
};
use aws_credential_types::provider::SharedCredentialsProvider;

/// What a machine gives the program that runs on it: variables, a web identity, a container's or an instance's role.
/// No file of a person's: a profile lying about must not become the identity of a service.
pub(crate) fn task_role() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(
        CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
            .or_else("WebIdentityToken", WebIdentityTokenCredentialsProvider::builder().build())
            .or_else("EcsContainer", EcsCredentialsProvider::builder().build())
            .or_else("Ec2InstanceMetadata", ImdsCredentialsProvider::builder().build()),
    )
}
